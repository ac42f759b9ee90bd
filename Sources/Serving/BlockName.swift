/// Names a KV block by the tokens in it and all before them: blocks of one name hold the same keys and values.
public struct BlockName: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}
