/// The layouts of request traces that are read, each plain or gzip.
public enum TraceFormat: String, Hashable, Sendable, Codable, CaseIterable {
    /// The Azure LLM inference trace of 2023: CSV with `TIMESTAMP,ContextTokens,GeneratedTokens`, where a time is
    /// `2023-11-16 18:15:46.6805900` without a zone, in order.
    ///
    /// - Source: Azure/AzurePublicDataset, `AzureLLMInferenceDataset2023.md`.
    case azure
    /// The Mooncake traces: one JSON object a line with `timestamp` (ms), `input_length` and `output_length`; other
    /// fields are skipped.
    ///
    /// - Source: kvcache-ai/Mooncake, `FAST25-release/traces`.
    case mooncake
    /// Plain CSV with the header `offset_s,prompt_tokens,output_tokens`: seconds since the start of the trace with up
    /// to nine decimals, in order; then two whole numbers of at least 1.
    case csv

    static let azureHeader = "TIMESTAMP,ContextTokens,GeneratedTokens"
    static let csvHeader = "offset_s,prompt_tokens,output_tokens"

    /// The first line, where it is no record.
    var header: String? {
        switch self {
        case .azure: Self.azureHeader
        case .csv: Self.csvHeader
        case .mooncake: nil
        }
    }

    /// Whether times stand in ticks much longer than the gaps between requests, and are to be spread.
    var hasRoundedTimes: Bool { self == .mooncake }

    /// The format that a file's first line shows, or `nil`.
    static func recognise(_ firstLine: UnsafeRawBufferPointer) -> TraceFormat? {
        if firstLine.elementsEqual(azureHeader.utf8) { return .azure }
        if firstLine.elementsEqual(csvHeader.utf8) { return .csv }
        if firstLine.first(where: { $0 != UInt8(ascii: " ") }) == UInt8(ascii: "{") { return .mooncake }
        return nil
    }
}
