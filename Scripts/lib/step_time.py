"""How long a step lasts by an engine profile, as the simulator charges it (see Docs/Decisions/0004-step-time.md)."""


def nanoseconds(profile, prompt_tokens, sequences, context):
    """A step with one prompt of `prompt_tokens`, or none, and `sequences` that decode over `context` KV tokens in all."""
    time = profile["stepTime"]

    def beyond(c, slope, hinge, width):
        return c.get(slope, 0) * max(0, width - c.get(hinge, 0))

    if prompt_tokens == 0:
        c = time["decode"]
        stairs = c.get("stairs") or [0]
        return (time.get("hostOverhead", 0) + c["constant"] + c["perSequence"] * sequences + c["perContextToken"] * context
                + beyond(c, "perSequenceBeyondHinge", "hingeSequences", sequences)
                + beyond(c, "perSequenceBeyondSecondHinge", "secondHingeSequences", sequences)
                + stairs[min(sequences, len(stairs)) - 1])
    c, width = time["mixed"], prompt_tokens + sequences
    return (time.get("hostOverhead", 0) + c["constant"] + c["perPrefillToken"] * prompt_tokens
            + beyond(c, "perTokenBeyondFirstHinge", "firstHinge", width)
            + beyond(c, "perTokenBeyondSecondHinge", "secondHinge", width)
            + c["perContextToken"] * context + c["perPrefillArea"] * prompt_tokens ** 2 / 2 + c["perSequence"] * sequences)
