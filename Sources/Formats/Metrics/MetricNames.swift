/// Under which names an engine publishes what a `ReplicaSample` holds; of several the first that is on the page counts.
///
/// - Source: pages scraped from vLLM 0.32.0 and llama.cpp b11434; the documentation of SGLang and of TGI, untested here.
struct MetricNames: Sendable {
    let engine: String
    let running: [String]
    let waiting: [String]
    var kvUtilization: [String] = []
    var promptTokens: [String] = []
    var generationTokens: [String] = []
    var completedRequests: [String] = []
    var preemptions: [String] = []
    var ttft: [String] = []
    var itl: [String] = []
    var prefixCacheQueries: [String] = []
    var prefixCacheHits: [String] = []
    /// Labels of which only the series with "0" counts: the ranks of one replica all tell the same.
    var ranks: [String] = []
    /// Whether `promptTokens` leaves out what the cache had: both together are then the prompts.
    var isPromptWithoutHits = false

    static let all = [vllm, sglang, llamaCPP, tgi]

    static let vllm = MetricNames(
        engine: "vLLM", running: ["vllm:num_requests_running"], waiting: ["vllm:num_requests_waiting"],
        kvUtilization: ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
        promptTokens: ["vllm:prompt_tokens_total", "vllm:prompt_tokens"],
        generationTokens: ["vllm:generation_tokens_total", "vllm:generation_tokens"],
        completedRequests: ["vllm:request_success_total", "vllm:request_success"],
        preemptions: ["vllm:num_preemptions_total", "vllm:num_preemptions"],
        ttft: ["vllm:time_to_first_token_seconds"],
        itl: ["vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"],
        prefixCacheQueries: ["vllm:prefix_cache_queries_total", "vllm:prefix_cache_queries"],
        prefixCacheHits: ["vllm:prefix_cache_hits_total", "vllm:prefix_cache_hits"])

    static let sglang = MetricNames(
        engine: "SGLang", running: ["sglang:num_running_reqs"], waiting: ["sglang:num_queue_reqs"],
        kvUtilization: ["sglang:token_usage"], promptTokens: ["sglang:prompt_tokens_total"],
        generationTokens: ["sglang:generation_tokens_total"], completedRequests: ["sglang:num_requests_total"],
        ttft: ["sglang:time_to_first_token_seconds"],
        itl: ["sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"],
        prefixCacheQueries: ["sglang:prompt_tokens_total"], prefixCacheHits: ["sglang:cached_tokens_total"],
        ranks: ["tp_rank", "pp_rank"])

    static let llamaCPP = MetricNames(
        engine: "llama.cpp", running: ["llamacpp:requests_processing"], waiting: ["llamacpp:requests_deferred"],
        promptTokens: ["llamacpp:prompt_tokens_total"], generationTokens: ["llamacpp:tokens_predicted_total"],
        prefixCacheHits: ["llamacpp:prompt_tokens_cached_total"], isPromptWithoutHits: true)

    static let tgi = MetricNames(
        engine: "TGI", running: ["tgi_batch_current_size"], waiting: ["tgi_queue_size"],
        promptTokens: ["tgi_request_input_length_sum"], generationTokens: ["tgi_request_generated_tokens_sum"],
        completedRequests: ["tgi_request_success", "tgi_request_success_total"])
}
