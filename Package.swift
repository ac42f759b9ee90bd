// swift-tools-version: 6.2
import PackageDescription

// Imports point down: a target may import only what its line below names (Tests/ArchitectureTests holds the
// sources to it). Nothing at or below `Simulation` knows a socket or a clock.

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let server = [
    Target.Dependency.product(name: "Hummingbird", package: "hummingbird"),
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "NIOCore", package: "swift-nio"),
    nioPosix,
    .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
    .product(name: "NIOTLS", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "Subprocess", package: "swift-subprocess"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    .product(name: "Logging", package: "swift-log"),
]
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")

// The kernel's replicas are owned by their pools alone, and one thread at a time plays a pool, so the run-time check
// that no two accesses overlap finds nothing; it costs an eighth of all instructions. Debug builds keep it.
let unchecked: [SwiftSetting] = [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let values: [Target.Dependency] = [
    "Units", "Randomness", "Statistics", "FleetModel", "EngineModel", "Pricing", "Workload", "Serving", "Scaling",
    "Control", "Simulation",
]

let package = Package(
    name: "tidegate",
    products: [
        .executable(name: "tidegate", targets: ["tidegate"]),
        .executable(name: "tidegate-live", targets: ["tidegate-live"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    ],
    targets: [
        // System libraries. GSL brings its own reference CBLAS: nothing here multiplies large matrices through it.
        .systemLibrary(name: "CGSL", providers: [.apt(["libgsl-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),

        // Numbers that know what they measure.
        .target(name: "CDigest"),
        .target(name: "Units", dependencies: ["CDigest"]),
        .target(name: "Randomness", dependencies: ["Units", "CGSL"]),
        .target(name: "Statistics", dependencies: ["Units", "CGSL"]),

        // The domain: words, then rules.
        .target(name: "FleetModel", dependencies: ["Units"]),
        .target(name: "EngineModel", dependencies: ["Units"]),
        .target(name: "Pricing", dependencies: ["FleetModel", "Units"]),
        .target(name: "Workload", dependencies: ["FleetModel", "Randomness", "Statistics", "Units"]),
        .target(name: "Serving", dependencies: ["EngineModel", "FleetModel", "Units", collections]),
        .target(name: "Scaling", dependencies: ["EngineModel", "Pricing", "FleetModel", "Statistics", "Units"]),
        .target(
            name: "Control", dependencies: ["Scaling", "EngineModel", "Pricing", "FleetModel", "Statistics", "Units"]),

        // The simulated world, and studies made of many runs of it.
        .target(
            name: "Simulation",
            dependencies: [
                "Control", "Scaling", "Serving", "Workload", "Pricing", "EngineModel", "FleetModel", "Statistics",
                "Randomness", "Units", collections,
            ], swiftSettings: unchecked),
        .target(name: "Studies", dependencies: values),

        // A real decoder, and what is measured on it.
        // Optimised in debug builds too: tests compute whole models, and what they test is the code that ships.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),
        .target(
            name: "InferenceCore",
            dependencies: ["Serving", "EngineModel", "FleetModel", "Randomness", "Units", "CKernels"]),
        .target(name: "Calibration", dependencies: values + ["InferenceCore", "Formats"]),

        // Edges: text, files, pictures.
        .target(name: "Formats", dependencies: values + ["CZlib", yams]),
        .target(name: "Store", dependencies: values + [grdb]),
        .target(name: "Reporting", dependencies: values + ["Studies", "Formats"]),
        // What the two executables tell the shell and hear from it alike.
        .target(name: "Commands", dependencies: [argumentParser]),
        .executableTarget(
            name: "tidegate",
            dependencies: values + [
                "Studies", "InferenceCore", "Calibration", "Formats", "Store", "Reporting", "Commands", argumentParser,
            ]),

        // The live plane: sockets and clocks. An executable of its own, so that what only simulates builds without NIO.
        .target(name: "CLinux"),
        .target(
            name: "Live",
            dependencies: values + [
                "CLinux", "InferenceCore", "Calibration", "Formats", "Reporting", "Store", collections,
            ] + server),
        .executableTarget(
            name: "tidegate-live",
            dependencies: values + [
                "Live", "InferenceCore", "Calibration", "Formats", "Commands", argumentParser, unixSignals,
            ]),

        // The event kernel on its own, for counts that repeat: Scripts/bench simulate.
        .executableTarget(name: "KernelBench", dependencies: values, path: "Tests/KernelBench"),

        // The gateway between clients and a worker that computes nothing: Scripts/bench gateway.
        .executableTarget(
            name: "GatewayBench",
            dependencies: [
                "CBench", "Live", "FleetModel", "Formats", "Units", .product(name: "NIOCore", package: "swift-nio"),
                nioPosix,
            ], path: "Tests/GatewayBench"),

        // The inference core on its own, for figures beside those of others: Scripts/bench core.
        .executableTarget(
            name: "CoreBench", dependencies: ["InferenceCore", "Serving", "CKernels", "CBench"],
            path: "Tests/CoreBench"),
        .target(
            name: "CBench", path: "Tests/CBench",
            cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),

        .testTarget(
            name: "CalibrationTests",
            dependencies: ["Calibration", "EngineModel", "Formats", "InferenceCore", "Randomness", "Units"]),
        // Asks the tokenizers library and Jinja in Python, where Scripts/test could install them.
        .testTarget(
            name: "InferenceCoreTests",
            dependencies: ["InferenceCore", "CKernels", "Randomness", "Serving", "Units", "CoreBench"],
            exclude: ["oracle.py", "llamacpp.py"]),
        .testTarget(name: "ArchitectureTests"),
        // Runs the executables themselves too, and asks the official client and promtool where they are.
        .testTarget(
            name: "LiveTests",
            dependencies: values + [
                "Live", "InferenceCore", "Calibration", "Formats", "Store", "tidegate", "tidegate-live", nioPosix, yams,
            ],
            exclude: ["client.py", "conversation.py"]),
        .testTarget(name: "ServingTests", dependencies: ["Serving", "EngineModel", "FleetModel", "Randomness"]),
        // Runs the executable itself: what is killed must be a process.
        .testTarget(name: "CommandTests", dependencies: values + ["Formats", "Store", "tidegate"]),
        .testTarget(name: "SimulationTests", dependencies: values + ["Formats"]),
        // Runs a model of the same fleet in Python, where Scripts/test could install SimPy.
        .testTarget(name: "SimPyTests", dependencies: values, exclude: ["fleet.py"]),
        .testTarget(name: "StudiesTests", dependencies: values + ["Studies"]),
        .testTarget(name: "UnitsTests", dependencies: ["Units", "CDigest"]),
        .testTarget(
            name: "ControlTests",
            dependencies: ["Control", "Scaling", "EngineModel", "FleetModel", "Randomness", "Units"]),
        .testTarget(name: "ScalingTests", dependencies: ["Scaling", "EngineModel", "FleetModel", "Units"]),
        .testTarget(name: "EngineModelTests", dependencies: ["EngineModel", "Units"]),
        .testTarget(name: "PricingTests", dependencies: ["Pricing", "FleetModel", "Units"]),
        .testTarget(name: "StoreTests", dependencies: ["Store", "Units", grdb]),
        .testTarget(name: "ReportingTests", dependencies: values + ["Reporting", "Studies", "Formats"]),
        .testTarget(name: "RandomnessTests", dependencies: ["Randomness", "CGSL"]),
        .testTarget(name: "StatisticsTests", dependencies: ["Statistics", "Units"]),
        .testTarget(name: "FormatsTests", dependencies: values + ["Formats", "CZlib"]),
        .testTarget(
            name: "WorkloadTests", dependencies: ["Workload", "FleetModel", "Randomness", "Statistics", "Units"]),
    ],
    swiftLanguageModes: [.v6]
)
