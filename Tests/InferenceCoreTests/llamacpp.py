"""The token that llama.cpp finds most likely after each text: JSON on stdin, JSON on stdout.

{"model": PATH, "texts": [[TOKEN]]} gives [TOKEN].
"""
import json
import os
import sys
import urllib.request

import xllamacpp

request = json.load(sys.stdin)
parameters = xllamacpp.CommonParams()
parameters.model.path = request["model"]
parameters.hostnames, parameters.port = ["127.0.0.1"], 0
parameters.warmup, parameters.n_parallel, parameters.n_ctx = False, 1, 512
# Its threads spin while they wait for each other, which takes long where there are more than processors.
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(parameters)


def next_token(text):
    body = {"prompt": text, "n_predict": 1, "temperature": 0, "return_tokens": True, "cache_prompt": True}
    call = urllib.request.Request(
        server.listening_address + "/completion", json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(call))["tokens"][0]


json.dump([next_token(text) for text in request["texts"]], sys.stdout)
sys.stdout.flush()
# The wrapper's own end does not return.
os._exit(0)
