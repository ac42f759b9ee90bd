/// Which blocks of which contents are cached, how far running sequences hold them, and in which order the others go.
///
/// Of each content the cached blocks are a range that starts at its first one, and so are those that sequences hold:
/// whoever has block i + 1 has block i. Held are the blocks up to the longest holder's; those after them, up to the end
/// of the cached ones, are evictable. They come in segments, each released at one time, the later the nearer to the
/// start. So the blocks that go first are always the last ones of some content, and every operation costs segments and
/// holders, however many blocks they span.
///
/// Indices are positions in the sequence's context, in blocks.
struct CachedContents: Sendable {
    static let none: Int32 = -1

    private struct Content: Sendable {
        var name: UInt64
        /// Where the content begins in the context of all its sequences.
        var first: Int32
        /// Ends of the held blocks and of the cached ones: `first <= held <= cached`.
        var held: Int32
        var cached: Int32
        /// Running sequences that have the content, holding blocks of it or not yet.
        var users: Int32 = 0
        /// How far its holders reach, the longest first.
        var levels = none
        /// The segment that begins at `held`: the one released last.
        var newest = none
    }

    /// Holders that reach equally far.
    private struct Level: Sendable {
        var end: Int32
        var holders: Int32
        var next: Int32
    }

    /// Blocks `start ..< end` of one content, released at one time.
    private struct Segment: Sendable {
        var content: Int32
        var start: Int32
        var end: Int32
        /// The neighbours in the content: behind it, released before it; and in front of it.
        var older: Int32
        var newer = none
        /// The neighbours in the order of release over all contents.
        var before: Int32
        var after = none
    }

    private var contents = Arena<Content>()
    private var levels = Arena<Level>()
    private var segments = Arena<Segment>()
    /// Asked by name only, so its order leaks nowhere.
    private var handles: [UInt64: Int32] = [:]
    /// Ends of the order of release.
    private var oldest = none
    private var latest = none

    /// Cached blocks that no sequence holds.
    private(set) var evictable = 0
    /// Cached blocks that sequences hold, each counted once.
    private(set) var held = 0

    // MARK: - Contents

    /// Where the cached blocks of a content end, and those of them that are held; `nil` when none is known.
    func ends(of name: UInt64) -> (cached: Int, held: Int)? {
        handles[name].map { (Int(contents[$0].cached), Int(contents[$0].held)) }
    }

    func cachedEnd(of handle: Int32) -> Int { Int(contents[handle].cached) }

    /// A running sequence has this content from block `first` of its context on.
    mutating func attach(_ name: UInt64, first: Int) -> Int32 {
        if let handle = handles[name] {
            precondition(contents[handle].first == first, "a content begins at one place in all its sequences")
            contents[handle].users += 1
            return handle
        }
        let start = Int32(first)
        let handle = contents.insert(Content(name: name, first: start, held: start, cached: start, users: 1))
        handles[name] = handle
        return handle
    }

    /// The sequence has left, and holds no block of the content.
    mutating func detach(_ handle: Int32) {
        contents[handle].users -= 1
        forgetIfEmpty(handle)
    }

    private mutating func forgetIfEmpty(_ handle: Int32) {
        let content = contents[handle]
        guard content.users == 0, content.cached == content.first else { return }
        handles[content.name] = nil
        contents.remove(handle)
    }

    // MARK: - Holders

    /// A holder of the blocks up to `old` now has those up to `new`: the cached ones among them, and the others as its own,
    /// which are cached from now on.
    ///
    /// - Returns: How many of them were cached already.
    mutating func hold(_ handle: Int32, from old: Int, to new: Int) -> Int {
        guard new > old else { return 0 }
        let before = contents[handle]
        if old > before.first { removeHolder(of: handle, at: Int32(old)) }
        addHolder(of: handle, at: Int32(new))
        if new > before.held {
            takeSegments(of: handle, upTo: Int32(new))
            held += new - Int(before.held)
            contents[handle].held = Int32(new)
            contents[handle].cached = max(before.cached, Int32(new))
        }
        return max(0, min(Int(before.cached), new) - old)
    }

    /// A holder of the blocks up to `end` lets them go. Those that nobody else holds can be evicted, after all that were
    /// released before.
    mutating func release(_ handle: Int32, from end: Int) {
        let content = contents[handle]
        guard end > content.first else { return }
        removeHolder(of: handle, at: Int32(end))
        let top = contents[handle].levels
        let longest = top == Self.none ? content.first : levels[top].end
        guard longest < content.held else { return }
        contents[handle].held = longest
        held -= Int(content.held - longest)
        evictable += Int(content.held - longest)
        appendSegment(of: handle, longest, content.held)
    }

    private mutating func addHolder(of handle: Int32, at end: Int32) {
        var previous = Self.none
        var level = contents[handle].levels
        while level != Self.none, levels[level].end > end { (previous, level) = (level, levels[level].next) }
        if level != Self.none, levels[level].end == end {
            levels[level].holders += 1
            return
        }
        let added = levels.insert(Level(end: end, holders: 1, next: level))
        if previous == Self.none { contents[handle].levels = added } else { levels[previous].next = added }
    }

    private mutating func removeHolder(of handle: Int32, at end: Int32) {
        var previous = Self.none
        var level = contents[handle].levels
        while level != Self.none, levels[level].end != end { (previous, level) = (level, levels[level].next) }
        precondition(level != Self.none, "nobody holds \(end) blocks")
        levels[level].holders -= 1
        guard levels[level].holders == 0 else { return }
        let next = levels[level].next
        if previous == Self.none { contents[handle].levels = next } else { levels[previous].next = next }
        levels.remove(level)
    }

    // MARK: - Segments

    /// Evicts the blocks released first; of those released together, the last of the content first.
    mutating func evict(_ count: Int) {
        precondition(count <= evictable, "\(count) blocks to evict of \(evictable)")
        evictable -= count
        var left = Int32(count)
        while left > 0 {
            let segment = segments[oldest]
            let taken = min(left, segment.end - segment.start)
            left -= taken
            contents[segment.content].cached -= taken
            segments[oldest].end -= taken
            if segments[oldest].end == segment.start { removeSegment(oldest) }
            forgetIfEmpty(segment.content)
        }
    }

    /// Takes back what is evictable of a content before block `end`.
    private mutating func takeSegments(of handle: Int32, upTo end: Int32) {
        while case let newest = contents[handle].newest, newest != Self.none, segments[newest].start < end {
            let taken = min(segments[newest].end, end) - segments[newest].start
            evictable -= Int(taken)
            segments[newest].start += taken
            if segments[newest].start == segments[newest].end { removeSegment(newest) }
        }
    }

    private mutating func appendSegment(of handle: Int32, _ start: Int32, _ end: Int32) {
        let older = contents[handle].newest
        let added = segments.insert(Segment(content: handle, start: start, end: end, older: older, before: latest))
        if older != Self.none { segments[older].newer = added }
        contents[handle].newest = added
        if latest == Self.none { oldest = added } else { segments[latest].after = added }
        latest = added
    }

    private mutating func removeSegment(_ index: Int32) {
        let segment = segments[index]
        if segment.older != Self.none { segments[segment.older].newer = segment.newer }
        if segment.newer == Self.none {
            contents[segment.content].newest = segment.older
        } else {
            segments[segment.newer].older = segment.older
        }
        if segment.before == Self.none {
            oldest = segment.after
        } else {
            segments[segment.before].after = segment.after
        }
        if segment.after == Self.none {
            latest = segment.before
        } else {
            segments[segment.after].before = segment.before
        }
        segments.remove(index)
    }
}

/// Elements that keep their index until they are removed; indices are used again.
private struct Arena<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    private var vacant: [Int32] = []

    subscript(index: Int32) -> Element {
        get { elements[Int(index)] }
        _modify { yield &elements[Int(index)] }
    }

    mutating func insert(_ element: Element) -> Int32 {
        if let index = vacant.popLast() {
            elements[Int(index)] = element
            return index
        }
        elements.append(element)
        return Int32(elements.count - 1)
    }

    mutating func remove(_ index: Int32) { vacant.append(index) }
}
