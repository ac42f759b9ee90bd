import FleetModel
import Units

/// What a tenant brought to a pool, counted since its gateway started.
public struct TenantCounters: Hashable, Sendable {
    public var tenant: String
    public var requests: Double
    public var promptTokens: Double
    /// Streamed back.
    public var outputTokens: Double
    /// USD of the day, over all pools.
    public var spent: Double

    public init(tenant: String, requests: Double, promptTokens: Double, outputTokens: Double, spent: Double = 0) {
        self.tenant = tenant
        self.requests = requests
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
        self.spent = spent
    }

    /// As a vector, in the order of `TenantMeasure`.
    var values: SIMD4<Double> { SIMD4(requests, promptTokens, outputTokens, spent) }
}

/// What is watched of a tenant.
public enum TenantMeasure: Int, Hashable, Sendable, Codable, CaseIterable {
    case requests, promptTokens, outputTokens
    /// Output tokens for each prompt token.
    case ratio
    case spend

    /// Whether the replicas feel it. Money is lost without more traffic where a dearer model is asked.
    public var isTraffic: Bool { self != .spend }

    var unit: String {
        switch self {
        case .requests: "requests/s"
        case .promptTokens: "prompt tokens/s"
        case .outputTokens: "output tokens/s"
        case .ratio: "output tokens per prompt token"
        case .spend: "USD/h"
        }
    }
}

/// A tenant far above its usual.
public struct TenantAbuse: Hashable, Sendable {
    public var tenant: String
    public var pool: PoolID
    /// Which measure showed it.
    public var measure: TenantMeasure
    /// The median of its history, and the highest window since.
    public var usual: Double
    public var level: Double
    public var since: Instant

    /// From what to what, in words.
    public var summary: String {
        "tenant '\(tenant)' went from \(Self.rounded(usual)) to \(Self.rounded(level)) \(measure.unit)"
    }

    private static func rounded(_ value: Double) -> Double {
        let step = value < 10 ? 100.0 : 1
        return (value * step).rounded() / step
    }
}
