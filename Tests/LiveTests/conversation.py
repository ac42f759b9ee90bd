"""Three questions to a chat model: conversation.py BASE_URL. Prints the answers as a JSON array."""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0, timeout=120)
model = client.models.list().data[0].id
messages, answers = [], []
for question in ["What is the capital of France? Answer in one short sentence.", "What is the capital of Italy?"]:
    messages.append({"role": "user", "content": question})
    text = ""
    for piece in client.chat.completions.create(
            model=model, messages=messages, max_tokens=24, temperature=0, stream=True):
        text += piece.choices[0].delta.content or ""
    messages.append({"role": "assistant", "content": text})
    answers.append(text)
print(json.dumps(answers))
