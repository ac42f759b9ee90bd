"""The official client against a worker: client.py BASE_URL. Prints a JSON object of what it saw."""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0, timeout=20)
seen = {}

seen["models"] = [model.id for model in client.models.list()]
model = seen["models"][0]

completion = client.completions.create(model=model, prompt="abcd", max_tokens=4, temperature=0, seed=1)
seen["completion"] = [completion.choices[0].text, completion.choices[0].finish_reason]
seen["usage"] = [completion.usage.prompt_tokens, completion.usage.completion_tokens, completion.usage.total_tokens]

# What a worker found in its prefix cache: nothing, then whole blocks.
again = [client.completions.create(model=model, prompt="the tide " * 20, max_tokens=1) for _ in range(2)]
seen["cached"] = [answer.usage.prompt_tokens_details.cached_tokens for answer in again]

pieces, usage, roles = [], None, []
for piece in client.chat.completions.create(
        model=model, messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        max_completion_tokens=5, stream=True, stream_options={"include_usage": True}):
    if piece.choices:
        pieces.append(piece.choices[0].delta.content)
        roles.append(piece.choices[0].delta.role)
        seen["finish"] = piece.choices[0].finish_reason
    if piece.usage:
        usage = piece.usage.completion_tokens
seen["stream"] = [pieces, roles, usage]

chat = client.chat.completions.create(
    model=model, messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], max_tokens=2)
seen["chat"] = [chat.choices[0].message.role, chat.choices[0].message.content]


def failure(call):
    try:
        call()
        return None
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.param, error.code]


seen["unknown model"] = failure(lambda: client.completions.create(model="nope", prompt="a"))
seen["bad type"] = failure(lambda: client.completions.create(model=model, prompt="a", temperature="hot"))
seen["two answers"] = failure(lambda: client.completions.create(model=model, prompt="a", n=2))
seen["too long"] = failure(lambda: client.completions.create(model=model, prompt="a" * 4000, max_tokens=1))
seen["embeddings"] = failure(lambda: client.embeddings.create(model=model, input="a"))
print(json.dumps(seen))
