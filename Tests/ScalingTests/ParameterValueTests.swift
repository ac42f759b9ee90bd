import FleetModel
import Scaling
import Testing
import Units

@Suite("Parameter values")
struct ParameterValueTests {
    struct Sample: Codable, Hashable {
        enum Choice: Codable, Hashable {
            case none
            case span(TimeSpan, since: Instant)
        }
        var flag: Bool
        var small: Int8
        var large: Int64
        var ratio: Double
        var name: String
        var absent: Int?
        var list: [Choice]
        var nested: [String: [Double]]
    }

    static let sample = Sample(
        flag: true, small: -7, large: 9_007_199_254_740_991, ratio: 0.1, name: "a \"quoted\"\n\u{1}é", absent: nil,
        list: [.none, .span(.seconds(90), since: .epoch)], nested: ["b": [1, 2.5], "a": []])

    @Test("A value written to a tree reads back to itself")
    func roundTrip() throws {
        #expect(try ParameterValue(encoding: Self.sample).decoded(as: Sample.self) == Self.sample)
        let tree = try ParameterValue(encoding: Self.sample)
        #expect(try ParameterValue(encoding: tree) == tree)
        #expect(try tree.decoded(as: ParameterValue.self) == tree)
    }

    @Test("Canonical JSON sorts keys, spells whole numbers without a fraction and escapes what it must")
    func canonical() throws {
        let text = try ParameterValue(encoding: Self.sample).canonicalJSON
        #expect(
            text == #"{"flag":true,"large":9007199254740991,"list":[{"none":{}},{"span":{"_0":"1m30s","#
                + #""since":"1970-01-01T00:00:00Z"}}],"name":"a \"quoted\"\n\u0001é","nested":{"a":[],"b":[1,2.5]},"#
                + #""ratio":0.1,"small":-7}"#)
        #expect(ParameterValue.number(-0.0).canonicalJSON == "0")
        #expect(ParameterValue.number(1e300).canonicalJSON == "1e+300")
        // Keys in the order of their bytes, not of a language.
        #expect(
            ParameterValue.map(["é": .null, "z": .null, "Z": .null]).canonicalJSON == #"{"Z":null,"z":null,"é":null}"#)
    }

    @Test("The digest is the SHA-256 of that text")
    func digest() {
        let value = ParameterValue.map(["b": .list([.null]), "a": .number(1)])
        #expect(value.digest == Digest(of: #"{"a":1,"b":[null]}"#))
    }

    @Test("What has no exact number is refused when written, and the wrong kind when read")
    func refusals() {
        #expect(throws: EncodingError.self) { try ParameterValue(encoding: [Double.nan]) }
        #expect(throws: EncodingError.self) { try ParameterValue(encoding: [Double.infinity]) }
        #expect(throws: EncodingError.self) { try ParameterValue(encoding: [Int64.max]) }
        #expect(throws: DecodingError.self) { try ParameterValue.number(1.5).decoded(as: Int.self) }
        #expect(throws: DecodingError.self) { try ParameterValue.number(300).decoded(as: Int8.self) }
        #expect(throws: DecodingError.self) { try ParameterValue.text("1").decoded(as: Double.self) }
        #expect(throws: DecodingError.self) { try ParameterValue.number(1).decoded(as: Bool.self) }
        #expect(throws: DecodingError.self) { try ParameterValue.map([:]).decoded(as: Sample.self) }
        #expect(throws: DecodingError.self) { try ParameterValue.list([]).decoded(as: Sample.self) }
    }
}
