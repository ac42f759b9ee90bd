import FleetModel
import Formats

/// Writes prompts of a stated length whose tokens follow from a request's content.
///
/// Equal names of `PromptContent` mean equal tokens at equal places, so a server finds the prefixes that the scenario says
/// are shared: system prompts, and the earlier turns of a conversation. The tokens of an answer are the server's own and
/// are not known here; in a later turn others stand in their places, so what a server keeps of its own answers is not
/// found again.
struct PromptWriter {
    /// Token ids of prompts. They lie within the vocabulary of every model that has 32,000 tokens or more, and outside
    /// the special tokens, which stand at either end.
    static let identifiers = 1_000..<31_000
    /// Token ids in vocabularies of little more than bytes, without those that stand for control characters.
    static let smallIdentifiers = 32..<256

    /// Words of three letters, each one token with its space in the vocabularies in use, and four bytes.
    private static let words =
        "the and for are but not you all any can had her was one our out day get has him his how man new now old see two "
        + "way who boy did its let put say she too use air ask bad bed big box bus buy car cut dog eat end eye far few "
        + "fly fun got hot job law lay led leg lie"
    private static let wordBytes = words.utf8.split(separator: UInt8(ascii: " ")).map(Array.init)

    /// Of the texts that nobody else has: with another seed they are others.
    let seed: UInt64

    /// What stands behind the shared text of a request that shares nothing else: its own number.
    private func name(of arrival: Arrival, number: Int) -> UInt64 {
        arrival.content.own != 0 ? arrival.content.own : PromptContent.mixed(seed, UInt64(number))
    }

    /// Appends a prompt's token ids, with commas between them.
    func appendIdentifiers(
        of arrival: Arrival, number: Int, from identifiers: Range<Int>, to bytes: inout [UInt8]
    ) {
        for position in 0..<Int(arrival.promptTokens) {
            if position > 0 { bytes.append(UInt8(ascii: ",")) }
            let word = draw(position, of: arrival, number: number)
            let range = UInt64(identifiers.count)
            bytes.append(number: Int64(identifiers.lowerBound) + Int64(word.multipliedFullWidth(by: range).high))
        }
    }

    /// Appends the words of some of a prompt's places; text that needs no escape in JSON.
    func appendText(of arrival: Arrival, number: Int, places: Range<Int>, to bytes: inout [UInt8]) {
        for position in places {
            let word = draw(position, of: arrival, number: number)
            let index = word.multipliedFullWidth(by: UInt64(Self.wordBytes.count)).high
            bytes.append(UInt8(ascii: " "))
            bytes.append(contentsOf: Self.wordBytes[Int(index)])
        }
    }

    /// 64 bits that follow from the name of the text at a place, and the place.
    private func draw(_ position: Int, of arrival: Arrival, number: Int) -> UInt64 {
        let content = arrival.content
        let name = position < content.sharedTokens ? content.shared : self.name(of: arrival, number: number)
        return PromptContent.mixed(name, UInt64(position))
    }
}
