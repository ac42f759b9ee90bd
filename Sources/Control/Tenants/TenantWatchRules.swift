import Units

/// When a tenant's traffic is an abuse, what is done about it, and when it is over.
public struct TenantWatchRules: Hashable, Sendable {
    /// Counts are compared over spans of this length.
    public var window = TimeSpan.seconds(30)
    /// Windows with traffic that its usual is made of; older ones are forgotten.
    public var history = 20
    /// Windows with traffic before a tenant is judged: whoever is new has no usual.
    public var leastHistory = 6
    /// A window is abusive above so many times the median, and above so many deviations over it, and above the least below.
    public var factor = 5.0
    /// Deviations are the median absolute one times 1.4826, which for normal noise is the standard deviation.
    public var deviations = 10.0
    /// What a window must reach in any case. Per second.
    public var leastRequests = 1.0
    public var leastPromptTokens = 500.0
    public var leastOutputTokens = 250.0
    /// USD per hour.
    public var leastSpend = 1.0
    /// A window is calm below so many times the median; so many calm windows in a row are the way back.
    public var calmFactor = 2.0
    public var calmWindows = 2
    /// A tenant is capped when it has been abusive for so long, at so many times its usual tokens a minute, and at no less
    /// than this: one request must fit.
    public var capAfter = TimeSpan.seconds(30)
    public var capFactor = 2.0
    public var leastCap = 4000
    /// For so long after an abuse began its pool is not scaled out: the queue holds the excess until the cap has worked.
    public var hold = TimeSpan.minutes(3)
    /// What lasts for so long is the new usual.
    public var lasting = TimeSpan.hours(1)

    public init() {}
}
