import CDigest
import Testing

@testable import Units

@Suite("Units")
struct UnitsTests {
    @Test(
        "Durations are read with their unit and nothing else",
        arguments: [
            ("90s", 90_000_000_000), ("1m30s", 90_000_000_000), ("1.5h", 5_400_000_000_000), ("250ms", 250_000_000),
            ("7d", 604_800_000_000_000), ("0s", 0),
        ] as [(String, Int64)])
    func durations(text: String, nanoseconds: Int64) {
        #expect(TimeSpan(text)?.nanoseconds == nanoseconds)
        #expect(TimeSpan(TimeSpan(nanoseconds: nanoseconds).description)?.nanoseconds == nanoseconds)
    }

    @Test(
        "A duration that is not one is refused",
        arguments: ["", "90", "s", "-5s", "5s1m", "1x", "9e9h", "300000d", "1.s"])
    func badDurations(text: String) { #expect(TimeSpan(text) == nil) }

    @Test(
        "Instants round-trip through the calendar",
        arguments: [
            "1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-03-02T07:30:00.25Z", "2261-12-31T23:59:59.999999999Z",
        ])
    func instants(text: String) { #expect(Instant(text)?.description == text) }

    @Test(
        "Dates that do not exist are refused",
        arguments: [
            "2026-02-29", "2026-13-01", "2026-00-10", "2026-1-01", "2026-03-02T24:00:00Z", "2026-03-02T07:30:00",
            "soon", "",
        ])
    func badInstants(text: String) { #expect(Instant(text) == nil) }

    @Test("A known date has the known day number")
    func knownDay() { #expect(Instant("2000-03-01") == Instant.epoch + .hours(11_017 * 24)) }

    @Test("An hour at a rate costs the rate, and a second its 3600th part rounded half to even")
    func cost() {
        let rate = USDPerHour("12.29")!
        #expect(rate.cost(of: .hours(1)).description == "12.29")
        #expect(rate.cost(of: .seconds(1)).nanodollars == 3_413_889)  // 3,413,888.88…
        #expect(USDPerHour(nanodollars: 1800).cost(of: .seconds(1)).nanodollars == 0)  // 0.5 → 0
        #expect(USDPerHour(nanodollars: 5400).cost(of: .seconds(1)).nanodollars == 2)  // 1.5 → 2
    }

    @Test("Money is read and written as plain decimals", arguments: ["0.00", "12.29", "-0.000000001", "9000000000.00"])
    func money(text: String) { #expect(USD(text)?.description == text) }

    @Test(
        "Text that is no amount is refused",
        arguments: ["", ".5", "1.", "$1", "1e3", "1,000", "1.0000000001", "99999999999"])
    func badMoney(text: String) { #expect(USD(text) == nil) }

    @Test("SHA-256 gives the standard's vectors")
    func digests() {
        #expect(Digest(of: "").hexadecimal == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(Digest(of: "abc").hexadecimal == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Digest(of: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hexadecimal
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    }

    @Test(
        "A digest built in pieces is that of the whole, wherever the pieces end",
        arguments: [0, 1, 55, 56, 63, 64, 65, 200])
    func digestPieces(length: Int) {
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        for cut in 0...length {
            var builder = DigestBuilder()
            bytes[..<cut].withUnsafeBytes { builder.update($0) }
            bytes[cut...].withUnsafeBytes { builder.update($0) }
            #expect(builder.digest == Digest(of: bytes), "cut at \(cut)")
        }
        // From a general sequence, which has no contiguous storage.
        #expect(Digest(of: AnySequence(bytes)) == Digest(of: bytes))
    }

    @Test("A million letters give the standard's digest")
    func longDigest() {
        let digest = Digest(of: [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
        #expect(digest.hexadecimal == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test("The processor's instructions and the plain function digest alike", arguments: 1...20)
    func digestInstructions(blocks: Int) {
        let bytes = (0..<(64 * blocks)).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 31 &+ $0 >> 3) }
        var (fast, plain) = ([UInt32](1...8), [UInt32](1...8))
        cdigest_sha256(&fast, bytes, blocks)
        cdigest_sha256_portable(&plain, bytes, blocks)
        #expect(fast == plain)
        #expect(fast != [UInt32](1...8))
    }

    @Test("A fingerprint depends on every number and on their order")
    func fingerprints() {
        func hash(_ values: [Int64]) -> String {
            var fingerprint = Fingerprint()
            for value in values { fingerprint.combine(value) }
            return fingerprint.hexadecimal
        }
        #expect(hash([1, 2]) == hash([1, 2]))
        #expect(Set([hash([]), hash([0]), hash([0, 0]), hash([1, 2]), hash([2, 1])]).count == 5)
    }
}
