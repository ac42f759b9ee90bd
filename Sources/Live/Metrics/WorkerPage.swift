import Serving

/// A worker's metrics page: what it counted, under vLLM's names, so that dashboards and autoscalers made for vLLM read it.
enum WorkerPage {
    static func text(of state: EngineLoop.State, limits: BatcherConfiguration, model: String) -> String {
        var page = PrometheusPage(labels: [("engine", "0"), ("model_name", model)])
        gauges(state.gauges, limits, into: &page)
        counters(state.metrics, state.gauges, into: &page)
        histograms(state.metrics, into: &page)
        return page.text
    }

    private static func gauges(
        _ gauges: EngineGauges, _ limits: BatcherConfiguration, into page: inout PrometheusPage
    ) {
        page.gauge(
            "vllm:num_requests_running", "Number of requests in model execution batches.", Double(gauges.running))
        page.gauge(
            "vllm:num_requests_waiting", "Number of requests waiting to be processed.", Double(gauges.waiting))
        page.gauge(
            "vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", gauges.kvUtilization)
        page.gauge(
            "vllm:cache_config_info", "Information of the engine's cache configuration.", 1,
            [
                ("block_size", "\(limits.blockSize)"), ("num_gpu_blocks", "\(limits.totalBlocks)"),
                ("enable_prefix_caching", limits.prefixCaching ? "True" : "False"),
                ("kv_cache_size_tokens", "\(limits.blockSize * limits.totalBlocks)"),
            ])
    }

    private static func counters(_ metrics: WorkerMetrics, _ gauges: EngineGauges, into page: inout PrometheusPage) {
        page.counter("vllm:prompt_tokens_total", "Number of prefill tokens processed.", metrics.promptTokens)
        page.counter(
            "vllm:generation_tokens_total", "Number of generation tokens processed.", metrics.generationTokens)
        page.counter(
            "vllm:num_preemptions_total", "Cumulative number of preemption from the engine.", metrics.preemptions)
        page.counter(
            "vllm:request_success_total", "Count of successfully processed requests.",
            zip(FinishReason.allCases, metrics.finished).map { ([("finished_reason", $0.rawValue)], $1) })
        page.counter(
            "vllm:admission_rejections_total", "Number of admission attempts rejected by a queue limit, by reason.",
            [([("reason", "max_num_queued_reqs")], metrics.rejections)])
        page.counter("tidegate:step_seconds_total", "Time the engine has spent in steps.", seconds: metrics.stepTime)
        if let cache = gauges.prefixCache {
            page.counter(
                "vllm:prefix_cache_queries_total", "Prefix cache queries, in terms of number of queried tokens.",
                UInt64(cache.queries))
            page.counter(
                "vllm:prefix_cache_hits_total", "Prefix cache hits, in terms of number of cached tokens.",
                UInt64(cache.hits))
        }
    }

    private static func histograms(_ metrics: WorkerMetrics, into page: inout PrometheusPage) {
        page.histogram(
            "vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", metrics.ttft)
        page.histogram(
            "vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", metrics.itl)
        page.histogram(
            "vllm:request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.", metrics.tpot)
        page.histogram(
            "vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", metrics.e2e)
        page.histogram(
            "vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.",
            metrics.queueTime)
        page.histogram(
            "vllm:request_prompt_tokens", "Number of prefill tokens processed.", metrics.requestPromptTokens)
        page.histogram(
            "vllm:request_generation_tokens", "Number of generation tokens processed.",
            metrics.requestGenerationTokens)
        page.histogram(
            "vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.", metrics.stepTokens)
        page.histogram(
            "tidegate:step_lateness_seconds", "How late emulated steps ended, against the profile's time.",
            metrics.stepLateness)
    }
}
