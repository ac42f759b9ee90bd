import Units

/// The named streams of random numbers of one run.
///
///     let streams = RandomStreams(seed: 7)
///     let arrivals = streams.generator("arrivals", source.name)
///
/// Each name opens its own stream, independent of every other and of the order in which they are opened. So a new
/// consumer, which takes a new name, shifts nobody else's draws, and two policies compared under one seed face the
/// very same traffic.
public struct RandomStreams: Hashable, Sendable {
    /// The run's seed: the key of the generator. Every 64-bit value is as good as another.
    public let seed: UInt64

    public init(seed: UInt64) { self.seed = seed }

    /// Opens the stream of these names at its beginning.
    ///
    /// `("a", "b")` and `("ab")` are different streams. Opening costs microseconds: keep the generator.
    public func generator(_ names: String...) -> RandomGenerator {
        RandomGenerator(seed: seed, stream: Self.identifier(of: names))
    }

    /// The 64-bit number of a stream: the first bits of a SHA-256 over the names, each with its length.
    ///
    /// Not `Hasher`, which is seeded per process. Two of a thousand streams collide with probability 3 × 10⁻¹⁴.
    static func identifier(of names: [String]) -> UInt64 {
        let text = names.map { "\($0.utf8.count):\($0)" }.joined(separator: ",")
        guard let number = UInt64(Digest(of: text).hexadecimal.prefix(16), radix: 16) else {
            preconditionFailure("a digest is 64 hexadecimal digits")
        }
        return number
    }
}

extension RandomStreams {
    /// The seed of a run's own streams: number `index` of this name, so that runs of a study share no draws.
    public func number(_ name: String, _ index: Int) -> UInt64 {
        Self.identifier(of: [name, String(seed), String(index)])
    }
}
