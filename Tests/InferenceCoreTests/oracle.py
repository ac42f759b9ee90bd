"""What the libraries of others make of texts: JSON on stdin, JSON on stdout.

{"tokenizers": [{"file": PATH} or {"tokens", "merges", "special"}], "patterns": [REGEX], "texts": [TEXT],
 "templates": [{"template", "beginning", "end", "messages", "generate", "thinking"}]}
gives {"ids": per tokenizer and text, "splits": byte lengths of words per pattern and text, "rendered": [TEXT or null]}.
"""
import functools
import json
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox
import tokenizers
from tokenizers import models, pre_tokenizers


def tokenizer(spec):
    if "file" in spec:
        return tokenizers.Tokenizer.from_file(spec["file"])
    # The tokenizer of a GGUF file with the pre-tokenizer smollm, as its tokenizer.json has it, but for the unknown token:
    # without one, bytes that have no token are dropped, as they are by Tokenizer.
    vocabulary = {token: number for number, token in enumerate(spec["tokens"])}
    merges = [tuple(merge) for merge in spec["merges"]]
    made = tokenizers.Tokenizer(models.BPE(vocabulary, merges, unk_token=None))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.add_special_tokens(spec["special"])
    return made


def lengths(pattern, text):
    split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    return [len(word.encode()) for word, _ in split.pre_tokenize_str(text)]


@functools.cache
def template(text):
    # As transformers renders: trimmed blocks, a sandbox, and raise_exception for the template to call.
    def refuse(message):
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    environment.globals["raise_exception"] = refuse
    return environment.from_string(text)


def render(case):
    try:
        return template(case["template"]).render(
            messages=case["messages"], bos_token=case["beginning"], eos_token=case["end"],
            add_generation_prompt=case["generate"])
    except jinja2.TemplateError:
        return None


request = json.load(sys.stdin)
texts = request.get("texts", [])
answer = {
    "ids": [[made.encode(text).ids for text in texts] for made in map(tokenizer, request.get("tokenizers", []))],
    "splits": [[lengths(pattern, text) for text in texts] for pattern in request.get("patterns", [])],
    "rendered": [render(case) for case in request.get("templates", [])],
}
json.dump(answer, sys.stdout)
