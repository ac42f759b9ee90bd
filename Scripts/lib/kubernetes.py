"""Starts an API server with its store and its controllers, applies Deploy/kubernetes, and runs the tests that need them."""
import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from fleet import free_port

programs, tests = map(os.path.abspath, sys.argv[1:])
folder = tempfile.mkdtemp(prefix="tidegate-kubernetes-")
files = {name: os.path.join(folder, name) for name in (
    "ca.crt", "ca.key", "server.crt", "server.key", "server.csr", "server.ext", "tokens.csv", "administrator.token",
    "controller.token", "kubeconfig")}
running = []


def start(name, words):
    log = open(os.path.join(folder, os.path.basename(name) + ".log"), "w")
    running.append(subprocess.Popen([name] + words, stdout=log, stderr=log, cwd=folder))


def write(name, text):
    with open(files[name], "w") as file:
        file.write(text)


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)


def certificates():
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=authority", "-days", "2", "-keyout", "ca.key",
            "-out", "ca.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=apiserver", "-keyout", "server.key", "-out", "server.csr")
    write("server.ext", "subjectAltName=IP:127.0.0.1")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "server.ext", "-out", "server.crt")


store, port = free_port(), free_port()
administrator = secrets.token_hex(16)


def ask(method, path, body=None, kind="application/json"):
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", body.encode() if body else None, {
        "Authorization": f"Bearer {administrator}", "Content-Type": kind}, method=method)
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=files["ca.crt"]), timeout=20) as answer:
        return answer.read().decode()


def is_ready():
    try:
        return ask("GET", "/readyz") == "ok"
    except (OSError, urllib.error.URLError):
        return False


def begin():
    certificates()
    write("tokens.csv", f'{administrator},administrator,1,"system:masters"\n')
    write("administrator.token", administrator)
    start("etcd", ["--data-dir", os.path.join(folder, "etcd"), "--listen-client-urls", f"http://127.0.0.1:{store}",
                   "--advertise-client-urls", f"http://127.0.0.1:{store}", "--listen-peer-urls", f"http://127.0.0.1:{free_port()}"])
    start(os.path.join(programs, "kube-apiserver"), [
        f"--etcd-servers=http://127.0.0.1:{store}", f"--secure-port={port}", "--bind-address=127.0.0.1",
        "--tls-cert-file=server.crt", "--tls-private-key-file=server.key", "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC", "--service-account-issuer=https://127.0.0.1", "--service-account-key-file=server.key",
        "--service-account-signing-key-file=server.key", "--service-cluster-ip-range=10.0.0.0/24"])
    end = time.monotonic() + 90
    while not is_ready():
        if time.monotonic() > end or running[-1].poll() is not None:
            sys.exit(f"error: the API server does not answer: {folder}/kube-apiserver.log")
        time.sleep(0.3)
    write("kubeconfig", json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": files["ca.crt"]}}],
        "users": [{"name": "it", "user": {"token": administrator}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}))
    start(os.path.join(programs, "kube-controller-manager"), [
        "--kubeconfig=kubeconfig", "--controllers=deployment,replicaset", "--leader-elect=false", "--secure-port=0", "--port=0"])


def apply():
    """Posts each object of the manifests as it is written."""
    groups = {"v1": "/api/v1"}
    plurals = {"NetworkPolicy": "networkpolicies"}
    refused, served = 0, ask("GET", "/apis")
    for path in ["namespace.yaml", "controller.yaml", "gateway.yaml", "workers.yaml"]:
        with open(os.path.join("Deploy/kubernetes", path)) as file:
            objects = re.split(r"^---\n", file.read(), flags=re.M)
        for text in objects:
            kind = re.search(r"^kind: (\w+)", text, re.M)
            if not kind:
                continue
            version = re.search(r"^apiVersion: (\S+)", text, re.M)[1]
            namespace = re.search(r"^  namespace: (\S+)", text, re.M)
            name = re.search(r"^  name: (\S+)", text, re.M)[1]
            kind = kind[1]
            root = groups.get(version, f"/apis/{version}") + (f"/namespaces/{namespace[1]}" if namespace else "")
            try:
                ask("POST", f"{root}/{plurals.get(kind, kind.lower() + 's')}", text, "application/yaml")
                print(f"  {kind} {name}: taken")
            except urllib.error.HTTPError as error:
                # A version that is newer than the server is no fault of the manifest.
                is_unknown = error.code == 404 and f'"{version}"' not in served
                print(f"  {kind} {name}: {'skipped: the server has no ' + version if is_unknown else f'REFUSED: {error}'}")
                refused += not is_unknown
    return refused


try:
    begin()
    print("An API server with what Deploy/kubernetes says:", flush=True)
    refused = apply()
    answer = json.loads(ask("POST", "/api/v1/namespaces/tidegate/serviceaccounts/tidegate-controller/token", json.dumps({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}})))
    write("controller.token", answer["status"]["token"])
    sys.stdout.flush()
    result = subprocess.run(
        [tests, "--testing-library", "swift-testing", "--no-parallel", "--filter", "RealAPIServerTests"],
        env=os.environ | {"TIDEGATE_API_PORT": str(port), "TIDEGATE_API_FILES": folder}).returncode
    sys.exit(result or (1 if refused else 0))
finally:
    for process in reversed(running):
        process.terminate()
    for process in running:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    if os.environ.get("KEEP"):
        print(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
