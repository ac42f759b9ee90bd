import FleetModel
import Foundation
import NIOCore
import Testing
import Units

@testable import Live

/// What a parser made of a response: its body, and where it ended.
private struct Reading: Equatable {
    var status = 0
    var body = ""
    var isComplete = false
    var keepsAlive = true
}

/// Reads `text` in pieces of `size` bytes.
private func read(_ text: String, inPiecesOf size: Int) throws -> Reading {
    var parser = ResponseParser()
    parser.expect()
    var reading = Reading()
    var body: [UInt8] = []
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: size) {
        let piece = Array(bytes[start..<min(start + size, bytes.count)])
        reading.isComplete = try piece.withUnsafeBytes { try parser.read($0) { piece, _ in body += piece } }
    }
    if !reading.isComplete { reading.isComplete = parser.end() }
    reading.status = parser.status
    reading.body = String(decoding: body, as: UTF8.self)
    reading.keepsAlive = parser.keepsAlive
    return reading
}

@Suite("Responses")
struct ResponseTests {
    private static let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n00A\r\nlong world\r\n0\r\nT: 1\r\n\r\n"

    @Test("A response reads the same in whatever pieces it comes", arguments: 1...80)
    func pieces(size: Int) throws {
        #expect(
            try read(Self.chunked, inPiecesOf: size) == Reading(status: 200, body: "hello long world", isComplete: true)
        )
        let plain = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow down\nContent-Length: 3 \nConnection: Close\n\nno!"
        #expect(
            try read(plain, inPiecesOf: size)
                == Reading(status: 429, body: "no!", isComplete: true, keepsAlive: false))
        let toEnd = "HTTP/1.0 200 OK\r\nA: b\r\n\r\nto the end"
        #expect(
            try read(toEnd, inPiecesOf: size)
                == Reading(status: 200, body: "to the end", isComplete: true, keepsAlive: false))
    }

    @Test("A response that breaks off is not complete", arguments: [20, 45, 60, 90])
    func brokenOff(length: Int) throws {
        let text = String(decoding: Self.chunked.utf8.prefix(length), as: UTF8.self)
        #expect(try !read(text, inPiecesOf: 7).isComplete)
    }

    @Test(
        "What is no HTTP/1.1 response is refused",
        arguments: [
            "SSH-2.0-OpenSSH_9\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nA: " + String(repeating: "x", count: 20_000),
        ])
    func malformed(text: String) {
        #expect(throws: ResponseParser.Problem.malformed) { try read(text, inPiecesOf: 11) }
    }

    @Test("Bytes behind a response are refused, for no request asked for them")
    func unasked() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"
        #expect(throws: ResponseParser.Problem.unasked) { try read(text, inPiecesOf: 100) }
    }
}

@Suite("Events of a stream")
struct EventTests {
    @Test("Events are the same in whatever pieces a body comes", arguments: 1...40)
    func splitting(size: Int) {
        let body = Array(
            ": hello\n\nevent: x\ndata: one\r\n\r\ndata:two\n\nid: 7\ndata:  three\n\ndata: unfinished".utf8)
        var splitter = EventSplitter()
        var events: [String] = []
        for start in stride(from: 0, to: body.count, by: size) {
            Array(body[start..<min(start + size, body.count)]).withUnsafeBytes {
                splitter.read($0) { events.append(String(decoding: $0, as: UTF8.self)) }
            }
        }
        #expect(events == ["one", "two", " three"])
    }

    private func event(_ text: String) -> CompletionEvent? {
        Array(text.utf8).withUnsafeBytes { CompletionEvent($0) }
    }

    @Test("Only text counts as content")
    func content() throws {
        let texts = [
            (#"{"choices":[{"index":0,"text":" a","finish_reason":null}],"usage":null}"#, true),
            (#"{ "choices" : [ { "text" : "" , "finish_reason" : "length" } ] }"#, false),
            (#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, false),
            (#"{"choices":[{"delta":{"content":"\"}]}"}}]}"#, true),
            (#"{"choices":[{"delta":{"reasoning_content":"hm","content":null}}]}"#, true),
            (#"{"text":"x","content":"y","choices":[]}"#, false),
        ]
        for (text, hasContent) in texts { #expect(try #require(event(text)).hasContent == hasContent, "\(text)") }
    }

    @Test("An empty text is a token's time only where the counts agree")
    func emptyTexts() throws {
        let texts = [
            (#"{"choices":[{"text":"","finish_reason":null}]}"#, true, true),
            (#"{"choices":[{"text":"","finish_reason":"length"}]}"#, true, false),
            (#"{"choices":[{"text":"a","finish_reason":"length"}]}"#, false, true),
            (#"{"choices":[{"delta":{"content":""}}]}"#, true, true),
            (#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, true, false),
            (#"{"choices":[{"delta":{"role":"assistant","content":"a"}}]}"#, false, true),
            (#"{"choices":[{"delta":{"content":null}}]}"#, false, false),
        ]
        for (text, isEmpty, isToken) in texts {
            #expect(try #require(event(text)).hasEmptyText == isEmpty, "\(text)")
            #expect(try #require(event(text)).isToken(afterText: true) == isToken, "\(text)")
        }
        #expect(try !#require(event(texts[0].0)).isToken(afterText: false))
        let arrival = Arrival(time: .epoch, promptTokens: 1, outputTokens: 3, tenant: 0, sloClass: 0)
        var record = LoadRecord(
            LoadRequest(number: 0, offset: .zero, arrival: arrival, bytes: ByteBuffer()), scheduled: .epoch)
        func time(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }
        (record.times, record.emptyTimes, record.outputTokens) = ([time(1), time(3)], [time(2)], 3)
        #expect(record.tokenTimes == [time(1), time(2), time(3)])
        record.outputTokens = 2
        #expect(record.tokenTimes == [time(1), time(3)])
    }

    @Test("Counts are those of usage, and an error is told from none")
    func counts() throws {
        let last = try #require(
            event(
                #"{"choices":[],"usage":{"prompt_tokens":12,"details":{"prompt_tokens":3},"completion_tokens":7,"total_tokens":19}}"#
            ))
        #expect(last.promptTokens == 12)
        #expect(last.completionTokens == 7)
        #expect(!last.isError)
        #expect(try #require(event(#"{"error":{"message":"out of blocks"}}"#)).isError)
        #expect(try !#require(event(#"{"error":null,"choices":[]}"#)).isError)
        #expect(try #require(event("[DONE]")).isDone)
    }

    @Test(
        "What of the prompt was cached is told as vLLM and as llama.cpp do",
        arguments: [
            (#"{"usage":{"prompt_tokens":12,"prompt_tokens_details":{"audio_tokens":1,"cached_tokens":8}}}"#, 8),
            (#"{"usage":{"prompt_tokens":12,"prompt_tokens_details":null}}"#, nil),
            (#"{"usage":{"prompt_tokens":12,"prompt_tokens_details":{"cached_tokens":null}}}"#, nil),
            (#"{"timings":{"cache_n":31,"prompt_ms":1.5}}"#, 31), (#"{"cached_tokens":3}"#, nil),
        ] as [(String, Int?)])
    func cached(text: String, tokens: Int?) throws { #expect(try #require(event(text)).cachedTokens == tokens) }

    @Test(
        "What is no JSON object is refused",
        arguments: [
            "", "[]", "{", #"{"choices":[{]}"#, #"{"a":1} x"#, #"{"a" 1}"#, #"{"a":"b"#, #"{"a":1,}"#,
            #"{"usage":{"prompt_tokens":-1}}"#,
            #"{"usage":{"prompt_tokens":1.5}}"#, #"{"usage":{"prompt_tokens":1000000000}}"#,
            #"{"usage":{"prompt_tokens":99999999999999999999}}"#,
            String(repeating: #"{"a":"#, count: 100) + "1" + String(repeating: "}", count: 100),
        ])
    func malformed(text: String) { #expect(event(text) == nil) }
}
