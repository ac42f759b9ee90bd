import CLinux
import Dispatch
import Foundation
import Serving
import Synchronization
import Units

/// One thread that owns an engine: requests are handed to it, it steps, and delivers what the steps produce.
///
///     let loop = EngineLoop(limits: limits, maxQueue: 256) { EmulatedEngine(profile: profile, limits: limits) }
///     loop.start()
///     let generation = try loop.submit([request])
///
/// A thread of its own, not a task: a step blocks for as long as it takes. Between steps it takes in what came and what
/// was cancelled; with nothing to run it sleeps until something comes.
public final class EngineLoop: Sendable {
    public enum Phase: Hashable, Sendable {
        /// The engine is being made and warmed up; the text says what it does now.
        case starting(String)
        case ready
        case failed(String)
        case stopped
    }

    /// Why a request is not taken.
    public enum Refusal: Error, Hashable, Sendable {
        /// As many requests as may run and wait are in the engine.
        case queueFull
        case notReady
    }

    /// A prompt on its way into the engine.
    struct Submission {
        var generation: Generation
        var prompt: Int
        var request: GenerationRequest
        var arrival: Instant
    }

    struct State {
        var phase = Phase.starting("starting")
        var arrived: [Submission] = []
        var cancelled: [Generation] = []
        /// Prompts taken and not yet ended.
        var outstanding = 0
        var isStopping = false
        /// Whether the thread waits for the semaphore.
        var isAsleep = false
        var gauges = EngineGauges()
        var metrics: WorkerMetrics
    }

    public let limits: BatcherConfiguration
    /// Prompts that may wait beside those that run.
    public let maxQueue: Int
    let state: Mutex<State>
    private let wakeUp = DispatchSemaphore(value: 0)
    private let makeEngine: @Sendable (_ stage: (String) -> Void) throws -> any Engine

    /// - Parameter makeEngine: Called on the thread; may take long, and tells the stages of doing so.
    init(
        limits: BatcherConfiguration, maxQueue: Int,
        makeEngine: @escaping @Sendable (_ stage: (String) -> Void) throws -> any Engine
    ) {
        self.limits = limits
        self.maxQueue = maxQueue
        self.makeEngine = makeEngine
        state = Mutex(State(metrics: WorkerMetrics(maxContext: limits.maxContext)))
    }

    public var phase: Phase { state.withLock(\.phase) }
    /// Prompts taken and not yet ended.
    public var outstanding: Int { state.withLock(\.outstanding) }

    public func start() {
        let thread = Thread { [self] in run() }
        thread.name = "engine"
        thread.qualityOfService = .userInteractive
        thread.start()
    }

    /// Hands over the prompts of one request: all of them or none.
    public func submit(_ requests: [GenerationRequest]) throws(Refusal) -> Generation {
        let arrival = MonotonicTime.now
        let generation = Generation(
            prompts: requests.count, promptTokens: requests.reduce(0) { $0 + $1.prompt.count }
        ) { [weak self] in self?.cancel($0) }
        let refusal = change { state -> Refusal? in
            guard state.phase == .ready, !state.isStopping else { return .notReady }
            guard state.outstanding + requests.count <= limits.maxSequences + maxQueue else {
                state.metrics.rejections += 1
                return .queueFull
            }
            state.outstanding += requests.count
            for (prompt, request) in requests.enumerated() {
                state.arrived.append(
                    Submission(generation: generation, prompt: prompt, request: request, arrival: arrival))
            }
            return nil
        }
        if let refusal { throw refusal }
        return generation
    }

    /// Ends everything that is in the engine, and the thread.
    public func stop() { change { $0.isStopping = true } }

    private func cancel(_ generation: Generation) {
        change { if $0.outstanding > 0 { $0.cancelled.append(generation) } }
    }

    /// Changes the shared state, and wakes the thread where it sleeps.
    private func change<Result: Sendable>(_ body: (inout sending State) -> sending Result) -> Result {
        let (result, wakes) = state.withLock { state in
            let result = body(&state)
            let wakes = state.isAsleep
            state.isAsleep = false
            return (result, wakes)
        }
        if wakes { wakeUp.signal() }
        return result
    }

    // MARK: - The thread

    private func run() {
        // Foundation keeps a thread's name to itself; the system's is what tools that pin a thread go by.
        clinux_set_thread_name("engine")
        MonotonicTime.tightenTimers()
        let engine: any Engine
        do {
            engine = try makeEngine { stage in state.withLock { $0.phase = .starting(stage) } }
        } catch {
            state.withLock { $0.phase = .failed("\(error)") }
            return
        }
        var driver = EngineDriver(engine: engine)
        state.withLock { $0.phase = .ready }
        while true {
            let mail = takeMail(sleeps: driver.isIdle)
            guard !mail.stops else { break }
            driver.accept(mail.arrived, cancelled: mail.cancelled)
            driver.step()
            state.withLock { driver.publish(into: &$0) }
            driver.deliver()
        }
        driver.abandon()
        state.withLock { state in
            state.phase = .stopped
            driver.publish(into: &state)
            for submission in state.arrived {
                submission.generation.deliver(.init(prompt: submission.prompt, text: "", tokens: 0, finish: .abort))
            }
            (state.arrived, state.outstanding) = ([], 0)
        }
        driver.deliver()
    }

    private struct Mail {
        var arrived: [Submission] = []
        var cancelled: [Generation] = []
        var stops = false
    }

    private func takeMail(sleeps: Bool) -> Mail {
        while true {
            let mail = state.withLock { state -> Mail? in
                // What has arrived stays where it is, to be told.
                guard !state.isStopping else { return Mail(stops: true) }
                if sleeps, state.arrived.isEmpty, state.cancelled.isEmpty {
                    state.isAsleep = true
                    return nil
                }
                defer { (state.arrived, state.cancelled) = ([], []) }
                return Mail(arrived: state.arrived, cancelled: state.cancelled)
            }
            if let mail { return mail }
            wakeUp.wait()
        }
    }
}
