import FleetModel
import Simulation
import Units

/// What the parts of the live plane are told: one YAML file, which names the scenario that was simulated.
///
///     scenario: ../Scenarios/laptop-burst
///     state: state
///     gateway: {listen: 127.0.0.1:8080}
///     tenants:
///       acme: {key_sha256: 9f86d081…, tokens_per_minute: 100k, daily_budget: 25.00}
///     token_prices:
///       chat: {prompt: 0.15, output: 0.60}
///
/// Paths in it are looked for beside the file. Pools, SLO classes and the names of tenants are the scenario's.
public struct LiveConfiguration: Sendable {
    public var scenario: Scenario
    /// Where the scenario was read from.
    public var scenarioPath: String
    /// The folder of what the live plane must not forget; made when missing.
    public var stateFolder: String
    public var gateway: GatewaySettings
    /// In the order of the file, then the scenario's others, which have no limits and no key.
    public var tenants: [TenantTerms]
    public var tokenPrices: [PoolID: TokenPrice]
    public var adminTokens: [AdminToken]
    public var controller: ControllerSettings
    /// Who resizes each pool; those left out are worker processes on this machine.
    public var actuators: [PoolID: ActuatorSettings]
    /// Where the gateway and workers on this machine send spans; `nil` for nowhere.
    public var traces: TraceSettings?
}

/// Where spans go: the section `traces` of a live configuration.
public struct TraceSettings: Hashable, Sendable {
    /// The URL of an OpenTelemetry collector that speaks OTLP over HTTP, such as `http://127.0.0.1:4318`.
    public var collector: String
    /// The share of traces that begin at the gateway whose spans are exported.
    public var share: Double
}

/// Reads live configurations: every mistake of the file and of the scenario it names comes out of one reading.
public enum LiveConfigurationReader {
    /// What a reading gave: a configuration when there was no error, and what is to be told in any case.
    public struct Reading: Sendable {
        /// `nil` exactly when a diagnostic is an error.
        public var configuration: LiveConfiguration?
        /// Errors and warnings of all files, in reading order.
        public var diagnostics: [Diagnostic]
    }

    public static func check(path: String) -> Reading {
        let log = DiagnosticLog()
        guard let (root, file) = TextFile.yaml(path: path, name: path, log: log) else {
            return Reading(configuration: nil, diagnostics: log.diagnostics)
        }
        let configuration = file.map(root, what: "configuration") { map in
            LiveConfigurationBuilder(map, folder: folderPart(of: path)).build()
        }
        return Reading(configuration: log.hasErrors ? nil : configuration, diagnostics: log.diagnostics)
    }

    /// The configuration at `path`.
    ///
    /// - Throws: `InvalidInput` with every problem of every file, warnings included.
    public static func read(path: String) throws(InvalidInput) -> LiveConfiguration {
        let reading = check(path: path)
        guard let configuration = reading.configuration else { throw InvalidInput(reading.diagnostics) }
        return configuration
    }
}
