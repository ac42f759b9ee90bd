import Units

/// One part's work on a request, as OpenTelemetry has it. What a prompt or an answer said is never in one.
struct Span: Sendable {
    /// The numbers are OTLP's.
    enum Kind: Int, Sendable {
        case `internal` = 1
        case server = 2
        case client = 3
    }

    enum Value: Hashable, Sendable {
        case text(String)
        case number(Int)
        case flag(Bool)
    }

    var name: String
    var kind: Kind
    var context: TraceContext
    /// The span that it is part of, 16 hexadecimal digits; `nil` where it is the trace's first.
    var parent: String?
    /// Of the wall clock.
    var start: Instant
    var end: Instant
    var attributes: [(name: String, value: Value)] = []
    var events: [(name: String, time: Instant)] = []
    /// What went wrong, as one word; `nil` where nothing did.
    var error: String?
}

/// Spans as OTLP/HTTP carries them: JSON, 64-bit numbers as text.
///
/// - Source: OpenTelemetry protocol 1.5, "JSON Protobuf Encoding"; opentelemetry/proto/trace/v1/trace.proto.
enum SpanText {
    /// The body of an export.
    ///
    /// - Parameter resource: What made the spans: `service.name`, `service.version`, `service.instance.id`.
    static func body(of spans: [Span], resource: [(name: String, value: String)]) -> String {
        var text = JSONText()
        text.object { text in
            text.key("resourceSpans")
            text.array { text in
                text.object { text in
                    text.key("resource")
                    text.object { attributes(resource.map { ($0.name, .text($0.value)) }, into: &$0) }
                    text.key("scopeSpans")
                    text.array { text in
                        text.object { text in
                            text.key("scope")
                            text.object { $0.member("name", "tidegate") }
                            text.key("spans")
                            text.array { text in for span in spans { text.object { write(span, into: &$0) } } }
                        }
                    }
                }
            }
        }
        return text.string
    }

    private static func write(_ span: Span, into text: inout JSONText) {
        text.member("traceId", span.context.trace)
        text.member("spanId", span.context.span)
        if let parent = span.parent { text.member("parentSpanId", parent) }
        text.member("name", span.name)
        text.member("kind", span.kind.rawValue)
        text.member("startTimeUnixNano", "\(span.start.nanoseconds)")
        text.member("endTimeUnixNano", "\(max(span.start, span.end).nanoseconds)")
        attributes(span.attributes, into: &text)
        text.key("events")
        text.array { text in
            for event in span.events {
                text.object { text in
                    text.member("timeUnixNano", "\(event.time.nanoseconds)")
                    text.member("name", event.name)
                }
            }
        }
        text.key("status")
        text.object { text in
            // 2 is an error. What went well is left unset, as instrumentation should.
            guard let error = span.error else { return }
            text.member("code", 2)
            text.member("message", error)
        }
    }

    private static func attributes(_ all: [(name: String, value: Span.Value)], into text: inout JSONText) {
        text.key("attributes")
        text.array { text in
            for attribute in all {
                text.object { text in
                    text.member("key", attribute.name)
                    text.key("value")
                    text.object { text in
                        switch attribute.value {
                        case .text(let value): text.member("stringValue", value)
                        case .number(let value): text.member("intValue", "\(value)")
                        case .flag(let value): text.member("boolValue", value)
                        }
                    }
                }
            }
        }
    }
}
