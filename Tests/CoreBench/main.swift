import CBench
import CKernels
import Foundation
import InferenceCore
import Serving

// Times the inference core from its own process, one JSON line a figure: Scripts/bench core.
let usage = """
    usage: CoreBench stream THREADS                       memory read in order, GB/s
           CoreBench steps MODEL THREADS BATCH CONTEXT    a decode step of so many sequences
           CoreBench prefill MODEL THREADS TOKENS         a prompt in one step
           CoreBench prefix MODEL THREADS TOKENS          first token with and without so many cached ones
           CoreBench steady                               allocations of decode steps, and what idle threads burn
    """

let arguments = Array(CommandLine.arguments.dropFirst())
func number(_ index: Int) -> Int {
    guard let number = Int(arguments[index]), number > 0 else {
        print("'\(arguments[index])' is no positive number\n\(usage)")
        exit(64)
    }
    return number
}

switch (arguments.first, arguments.count) {
case ("stream", 2): stream(threads: number(1))
case ("steps", 5): try decode(arguments[1], threads: number(2), sequences: number(3), context: number(4))
case ("prefill", 4): try prefill(arguments[1], threads: number(2), count: number(3))
case ("prefix", 4): try prefix(arguments[1], threads: number(2), count: number(3))
case ("steady", 1): try steady()
default:
    print(usage)
    exit(64)
}
