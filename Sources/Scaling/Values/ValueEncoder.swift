extension ParameterValue {
    /// The value that `encodable` writes of itself, without a detour through text.
    ///
    /// The digest and the memory of a policy are taken this way, in targets that know no JSON library.
    ///
    /// - Throws: `EncodingError` for a number that is not finite, or a whole number beyond 2⁵³.
    public init(encoding encodable: some Encodable) throws {
        let node = Node()
        try ValueEncoder(node: node, codingPath: []).encode(encodable)
        self = node.value
    }
}

/// A value under construction: containers that outlive a call write into the same node.
private final class Node {
    var scalar: ParameterValue?
    var entries: [String: Node] = [:]
    var elements: [Node] = []
    var isMap = false
    var isList = false

    var value: ParameterValue {
        if let scalar { return scalar }
        if isList { return .list(elements.map(\.value)) }
        return isMap ? .map(entries.mapValues(\.value)) : .null
    }

    func child(_ key: String) -> Node {
        let node = Node()
        entries[key] = node
        return node
    }

    func append() -> Node {
        let node = Node()
        elements.append(node)
        return node
    }
}

private struct ValueEncoder: Encoder {
    let node: Node
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.isMap = true
        return KeyedEncodingContainer(KeyedWriter<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.isList = true
        return UnkeyedWriter(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension ValueEncoder: SingleValueEncodingContainer {
    func encodeNil() { node.scalar = .null }
    func encode(_ value: Bool) { node.scalar = .bool(value) }
    func encode(_ value: String) { node.scalar = .text(value) }
    func encode(_ value: Double) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(
                value, .init(codingPath: codingPath, debugDescription: "\(value) is not finite"))
        }
        node.scalar = .number(value)
    }
    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Int) throws { try encode(whole: value) }
    func encode(_ value: Int8) throws { try encode(whole: value) }
    func encode(_ value: Int16) throws { try encode(whole: value) }
    func encode(_ value: Int32) throws { try encode(whole: value) }
    func encode(_ value: Int64) throws { try encode(whole: value) }
    func encode(_ value: UInt) throws { try encode(whole: value) }
    func encode(_ value: UInt8) throws { try encode(whole: value) }
    func encode(_ value: UInt16) throws { try encode(whole: value) }
    func encode(_ value: UInt32) throws { try encode(whole: value) }
    func encode(_ value: UInt64) throws { try encode(whole: value) }
    func encode<T: Encodable>(_ value: T) throws { try value.encode(to: self) }

    private func encode(whole value: some BinaryInteger) throws {
        guard let number = Double(exactly: value) else {
            throw EncodingError.invalidValue(
                value, .init(codingPath: codingPath, debugDescription: "\(value) is not exact as a number"))
        }
        node.scalar = .number(number)
    }
}

private struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: Node
    let codingPath: [any CodingKey]

    private func encoder(_ key: any CodingKey) -> ValueEncoder {
        ValueEncoder(node: node.child(key.stringValue), codingPath: codingPath + [key])
    }

    func encodeNil(forKey key: Key) { encoder(key).encodeNil() }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try encoder(key).encode(value) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { encoder(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder(IndexKey(name: "super")) }
    func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
}

private struct UnkeyedWriter: UnkeyedEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]
    var count: Int { node.elements.count }

    private func encoder() -> ValueEncoder {
        let path = codingPath + [IndexKey(index: count)]
        return ValueEncoder(node: node.append(), codingPath: path)
    }

    func encodeNil() { encoder().encodeNil() }
    func encode<T: Encodable>(_ value: T) throws { try encoder().encode(value) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        encoder().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder().unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder() }
}

/// A key of a coding path that no type declares: a list's index or the superclass.
struct IndexKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(index: Int) {
        stringValue = String(index)
        intValue = index
    }
    init(name: String) {
        stringValue = name
        intValue = nil
    }
    init?(stringValue: String) { self.init(name: stringValue) }
    init?(intValue: Int) { self.init(index: intValue) }
}
