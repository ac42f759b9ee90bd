import FleetModel

/// The KV blocks of a plain engine, one by one: those with a name in a dictionary, the others counted. Plain loops.
struct PlainPrefixCache {
    struct Name: Hashable {
        var content: UInt64
        var index: Int
    }

    let isOn: Bool
    let blockSize: Int
    /// Free blocks without a name.
    var unnamed: Int
    /// Sequences that have each named block.
    var references: [Name: Int] = [:]
    /// Named blocks that no sequence has, in order of release.
    var unused: [Name] = []
    var evictions = 0
    var duplicates = 0
    var queries = 0
    var hits = 0
    /// Sequences that were preempted and found something; and that held something found when their clients gave up.
    var preemptedHits = 0
    var cancelledHits = 0

    var free: Int { unnamed + unused.count }

    /// The name of a block of a context; `nil` where nobody else can have it.
    func name(_ index: Int, of content: PromptContent) -> Name? {
        if (index + 1) * blockSize <= content.sharedTokens { return Name(content: content.shared, index: index) }
        return content.own == 0 ? nil : Name(content: content.own, index: index)
    }

    /// The names of the first blocks of `content` that are cached, of a prompt of `tokens` tokens.
    func find(_ content: PromptContent, tokens: Int) -> [Name] {
        var found: [Name] = []
        while isOn, (found.count + 1) * blockSize < tokens, let name = name(found.count, of: content),
            references[name] != nil
        {
            found.append(name)
        }
        return found
    }

    /// Gives a sequence `count` blocks for its prompt, those found among them; nothing where too few are free.
    mutating func admit(_ found: [Name], _ count: Int) -> Bool {
        let unused = found.count { references[$0] == 0 }
        guard count - found.count <= free - unused else { return false }
        for name in found { refer(to: name) }
        take(count - found.count)
        return true
    }

    mutating func take(_ count: Int) {
        let evicted = max(0, count - unnamed)
        unnamed -= count - evicted
        guard evicted > 0 else { return }
        for name in unused.prefix(evicted) { references[name] = nil }
        unused.removeFirst(evicted)
        evictions += evicted
    }

    private mutating func refer(to name: Name) {
        if references[name] == 0 { unused.remove(at: unused.firstIndex(of: name)!) }
        references[name]! += 1
    }

    /// The first `tokens` tokens of a sequence are computed.
    mutating func register(_ names: inout [Name], of content: PromptContent, tokens: Int) {
        while isOn, (names.count + 1) * blockSize <= tokens, let name = name(names.count, of: content) {
            if references[name] != nil {
                refer(to: name)
                unnamed += 1
                duplicates += 1
            } else {
                references[name] = 1
            }
            names.append(name)
        }
    }

    /// A sequence leaves, with `count` blocks for the `tokens` tokens that are computed.
    mutating func release(_ held: [Name], of content: PromptContent, tokens: Int, _ count: Int) {
        var names = held
        register(&names, of: content, tokens: tokens)
        for name in names.reversed() {
            references[name]! -= 1
            if references[name] == 0 { unused.append(name) }
        }
        unnamed += count - names.count
    }

    /// Counts an admission.
    mutating func count(_ sequence: PlainEngine.Sequence) {
        if sequence.wasPreempted {
            preemptedHits += sequence.names.isEmpty ? 0 : 1
        } else {
            queries += sequence.target
            hits += sequence.cached
        }
    }
}
