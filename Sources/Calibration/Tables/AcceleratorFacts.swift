/// What data sheets say of a GPU that tables of its kernels do not hold.
///
/// - Source: NVIDIA's data sheets, as collected in ai-dynamo/aiconfigurator, `systems/*.yaml` (Apache-2.0), read
///   2026-11-26; the memory of the RTX 4090 as CUDA reports it.
struct AcceleratorFacts: Hashable, Sendable {
    /// What the names that CUDA reports contain.
    var name: String
    /// Bytes.
    var memory: Double
    /// Bytes per second to the other GPUs of the machine, one way: NVLink where there is one, else PCIe.
    var linkBandwidth: Double

    static let known = [
        AcceleratorFacts(name: "RTX 4090", memory: 25_250_627_584, linkBandwidth: 32e9),
        AcceleratorFacts(name: "RTX PRO 6000", memory: 102_641_958_912, linkBandwidth: 64e9),
        AcceleratorFacts(name: "H100 PCIe", memory: 85_899_345_920, linkBandwidth: 64e9),
        AcceleratorFacts(name: "H100", memory: 85_899_345_920, linkBandwidth: 450e9),
        AcceleratorFacts(name: "H200", memory: 151_397_597_184, linkBandwidth: 450e9),
        AcceleratorFacts(name: "A100", memory: 85_899_345_920, linkBandwidth: 300e9),
        AcceleratorFacts(name: "L40S", memory: 48_305_799_168, linkBandwidth: 32e9),
        AcceleratorFacts(name: "B200", memory: 193_273_528_320, linkBandwidth: 900e9),
    ]

    static func named(_ gpu: String) -> AcceleratorFacts? { known.first { gpu.contains($0.name) } }
}
