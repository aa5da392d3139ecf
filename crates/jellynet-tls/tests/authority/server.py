"""An ACME authority for tests, for what Debian's Pebble lacks.

It is strict where a real one is: every request is a JWS whose nonce, URL, key and signature are
checked (RFC 8555 section 6), names are proved by really asking for the proof (HTTP-01,
TLS-ALPN-01, DNS-PERSIST-01), and a certificate request must name what was ordered, and sign
itself. On top: renewal information and `replaces` (RFC 9773), profiles, addresses (RFC 8738) and
external accounts. Nothing is kept. What was asked can be read, and the renewal window moved, over
plain HTTP at the management address.

Usage: server.py CONFIG, with the keys of Pebble's configuration, and dnsServer, retryAfter (s),
name (of this authority in URLs; localhost), prover (where names are proved; 127.0.0.1).
"""

import base64
import datetime
import hashlib
import hmac
import http.client
import http.server
import ipaddress
import json
import secrets
import socket
import ssl
import struct
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

CONFIG = json.load(open(sys.argv[1]))["pebble"]
HOST, PORT = CONFIG["listenAddress"].split(":")
BASE = f"https://{CONFIG.get('name', 'localhost')}:{PORT}"
PROVER = CONFIG.get("prover", "127.0.0.1")
ISSUER = "authority.test"
PROFILES = CONFIG.get("profiles", {"classic": {"validityPeriod": 90 * 86400}})
LOCK = threading.RLock()
NONCES, ACCOUNTS, ORDERS, AUTHORIZATIONS, CERTIFICATES = set(), {}, {}, {}, {}
STATE = {"window": None, "log": []}
ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")


class Problem(Exception):
    def __init__(self, kind, detail, status=400):
        super().__init__(detail)
        self.status = status
        self.body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}


def unbase64(text):
    if "=" in text:
        raise Problem("malformed", "base64url without padding is wanted")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def tobase64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


# The authority's own certificates.


def certificate(name, key, issuer, issuer_key, days):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer or subject,
        public_key=key.public_key(), serial_number=x509.random_serial_number(),
        not_valid_before=now() - datetime.timedelta(hours=1),
        not_valid_after=now() + datetime.timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(True, None), True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    return builder.sign(issuer_key, hashes.SHA256())


ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
ROOT = certificate("Test Root", ROOT_KEY, None, ROOT_KEY, 3650)
SUB_KEY = ec.generate_private_key(ec.SECP256R1())
SUB = certificate("Test Intermediate", SUB_KEY, ROOT.subject, ROOT_KEY, 1825)
SUB_ID = SUB.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value


def issue(request, identifiers, lifetime):
    names = [x509.DNSName(one["value"]) if one["type"] == "dns"
             else x509.IPAddress(ipaddress.ip_address(one["value"])) for one in identifiers]
    start = now() - datetime.timedelta(hours=1)
    builder = x509.CertificateBuilder(subject_name=x509.Name([]), issuer_name=SUB.subject,
        public_key=request.public_key(), serial_number=x509.random_serial_number(),
        not_valid_before=start, not_valid_after=start + datetime.timedelta(seconds=lifetime))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), True)
    builder = builder.add_extension(x509.BasicConstraints(False, None), True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(SUB_ID), False)
    return builder.sign(SUB_KEY, hashes.SHA256())


def renewal_id(leaf):
    """RFC 9773 section 4.1."""
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
    return tobase64(SUB_ID.digest) + "." + tobase64(serial)


# How names are proved.


def prove_http(account, identifier, token):
    host = identifier["value"]
    connection = http.client.HTTPConnection(PROVER, CONFIG["httpPort"], timeout=10)
    connection.request("GET", f"/.well-known/acme-challenge/{token}",
        headers={"Host": f"[{host}]" if ":" in host else host, "Connection": "close"})
    answer = connection.getresponse()
    said = answer.read(4096).decode().rstrip()
    if answer.status != 200 or said != f"{token}.{account['thumbprint']}":
        raise Problem("unauthorized", f"the key authorization is not {said!r} ({answer.status})", 403)


def prove_handshake(account, identifier, token):
    host = identifier["value"]
    if identifier["type"] == "ip":
        host = ipaddress.ip_address(host).reverse_pointer
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["acme-tls/1"])
    with socket.create_connection((PROVER, CONFIG["tlsPort"]), 10) as plain:
        with context.wrap_socket(plain, server_hostname=host) as stream:
            chosen, shown = stream.selected_alpn_protocol(), stream.getpeercert(True)
    if chosen != "acme-tls/1":
        raise Problem("unauthorized", "acme-tls/1 was not chosen", 403)
    leaf = x509.load_der_x509_certificate(shown)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    proof = leaf.extensions.get_extension_for_oid(ACME_IDENTIFIER)
    digest = hashlib.sha256(f"{token}.{account['thumbprint']}".encode()).digest()
    wanted = [x509.DNSName(identifier["value"])] if identifier["type"] == "dns" \
        else [x509.IPAddress(ipaddress.ip_address(identifier["value"]))]
    if list(names) != wanted or not proof.critical or proof.value.value != b"\x04\x20" + digest:
        raise Problem("unauthorized", "the certificate of the challenge is another", 403)


def prove_standing(account, identifier, _):
    name = identifier["value"].removeprefix("*.")
    found = texts(f"_validation-persist.{name}")
    for text in found:
        issuer, *rest = [part.strip() for part in text.split(";")]
        said = dict(part.split("=", 1) for part in rest if "=" in part)
        wide = said.get("policy", "").lower() == "wildcard"
        if issuer == ISSUER and said.get("accounturi") == account["url"] \
                and (wide or not identifier["value"].startswith("*.")):
            return
    raise Problem("unauthorized", f"no record of _validation-persist.{name} fits: {found}", 403)


def texts(name):
    """The TXT records of a name (RFC 1035)."""
    question = b"".join(bytes([len(one)]) + one.encode() for one in name.split(".")) + b"\0"
    server, port = CONFIG["dnsServer"].split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(struct.pack("!6H", 7, 256, 1, 0, 0, 0) + question + b"\0\x10\0\x01",
            (server, int(port)))
        answer = client.recv(4096)
    count, at, found = struct.unpack("!H", answer[6:8])[0], 12 + len(question) + 4, []
    for _ in range(count):
        while answer[at] not in (0, *range(192, 256)):
            at += answer[at] + 1
        at += 1 if answer[at] == 0 else 2
        kind, _, _, length = struct.unpack("!HHIH", answer[at:at + 10])
        data, at = answer[at + 10:at + 10 + length], at + 10 + length
        text = b""
        while kind == 16 and data:
            text, data = text + data[1:data[0] + 1], data[data[0] + 1:]
        found.append(text.decode())
    return found


PROOFS = {"http-01": prove_http, "tls-alpn-01": prove_handshake, "dns-persist-01": prove_standing}


def offered(identifier):
    if identifier["value"].startswith("*."):
        return ["dns-persist-01"]
    return list(PROOFS) if identifier["type"] == "dns" else ["http-01", "tls-alpn-01"]


# Requests.


def check_external(payload, key, url):
    bound = payload.get("externalAccountBinding")
    if not bound:
        if CONFIG["externalAccountBindingRequired"]:
            raise Problem("externalAccountRequired", "an external account is required", 403)
        return
    head = json.loads(unbase64(bound["protected"]))
    secret = unbase64(CONFIG["externalAccountMACKeys"].get(head["kid"], ""))
    mac = hmac.new(secret, f"{bound['protected']}.{bound['payload']}".encode(), "sha256").digest()
    if head["alg"] != "HS256" or head["url"] != url or "nonce" in head or not secret \
            or json.loads(unbase64(bound["payload"])) != key \
            or not hmac.compare_digest(mac, unbase64(bound["signature"])):
        raise Problem("unauthorized", "the binding to the external account is not valid", 403)


def new_account(payload, key, url):
    thumbprint = tobase64(hashlib.sha256(json.dumps(
        {name: key[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":")).encode()).digest())
    for account in ACCOUNTS.values():
        if account["thumbprint"] == thumbprint:
            return 200, {"status": "valid"}, account["url"]
    if payload.get("onlyReturnExisting"):
        raise Problem("accountDoesNotExist", "there is no such account")
    if not payload.get("termsOfServiceAgreed"):
        raise Problem("userActionRequired", "the terms of service were not agreed to", 403)
    check_external(payload, key, url)
    account = {"url": f"{BASE}/account/{len(ACCOUNTS) + 1}", "key": key, "thumbprint": thumbprint}
    ACCOUNTS[account["url"]] = account
    return 201, {"status": "valid"}, account["url"]


def new_order(payload, account):
    identifiers = payload["identifiers"]
    for one in identifiers:
        if one["type"] == "ip":
            ipaddress.ip_address(one["value"])
        elif one["type"] != "dns" or one["value"] != one["value"].lower():
            raise Problem("malformed", f"no identifier: {one}")
    profile = payload.get("profile")
    if profile is not None and profile not in PROFILES:
        raise Problem("invalidProfile", f"the profile {profile!r} is not one of {', '.join(PROFILES)}")
    if any(one["type"] == "ip" for one in identifiers) and not PROFILES.get(profile, {}).get("addresses"):
        raise Problem("rejectedIdentifier", "addresses need the profile shortlived", 403)
    replaced = payload.get("replaces")
    if replaced is not None:
        old = CERTIFICATES.get(replaced)
        if old is None or old["account"] != account["url"]:
            raise Problem("malformed", "what is to be replaced is not a certificate of this account")
        if old["replaced"]:
            raise Problem("alreadyReplaced", "the certificate was replaced already", 409)
        old["replaced"] = True
    number = secrets.token_hex(8)
    order = {"url": f"{BASE}/order/{number}", "account": account["url"], "status": "pending",
        "identifiers": identifiers, "authorizations": [], "finalize": f"{BASE}/finalize/{number}"}
    order.update({"profile": profile} if profile else {}, **({"replaces": replaced} if replaced else {}))
    for identifier in identifiers:
        authorization = f"{BASE}/authorization/{secrets.token_hex(8)}"
        bare = {"type": identifier["type"], "value": identifier["value"].removeprefix("*.")}
        challenges = []
        for kind in offered(identifier):
            one = {"type": kind, "url": f"{authorization}/{kind}", "status": "pending"}
            one.update({"issuer-domain-names": [ISSUER]} if kind == "dns-persist-01"
                       else {"token": tobase64(secrets.token_bytes(24))})
            challenges.append(one)
        AUTHORIZATIONS[authorization] = {"order": order, "asked": identifier, "identifier": bare,
            "status": "pending", "challenges": challenges,
            **({"wildcard": True} if identifier != bare else {})}
        order["authorizations"].append(authorization)
    ORDERS[order["url"]] = order
    return 201, shown(order), order["url"]


def shown(thing):
    return {name: value for name, value in thing.items() if name not in ("url", "account", "order", "asked", "chain")}


def validate(authorization, challenge, account):
    try:
        PROOFS[challenge["type"]](account, authorization["asked"], challenge.get("token"))
        challenge["status"] = authorization["status"] = "valid"
    except (Problem, OSError, http.client.HTTPException, x509.ExtensionNotFound) as error:
        problem = error if isinstance(error, Problem) else Problem("connection", str(error))
        challenge["error"] = problem.body
        challenge["status"] = authorization["status"] = authorization["order"]["status"] = "invalid"
    order = authorization["order"]
    if all(AUTHORIZATIONS[one]["status"] == "valid" for one in order["authorizations"]):
        order["status"] = "ready"


def finalize(order, payload, account):
    if order["status"] != "ready":
        raise Problem("orderNotReady", f"the order is {order['status']}", 403)
    request = x509.load_der_x509_csr(unbase64(payload["csr"]))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    asked = sorted(names.get_values_for_type(x509.DNSName)
                   + [str(one) for one in names.get_values_for_type(x509.IPAddress)])
    if not request.is_signature_valid or asked != sorted(one["value"] for one in order["identifiers"]):
        raise Problem("badCSR", f"it names {asked}")
    leaf = issue(request, order["identifiers"],
        PROFILES.get(order.get("profile"), {}).get("validityPeriod", 90 * 86400))
    order["chain"] = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, SUB))
    order["certificate"] = f"{BASE}/certificate/{order['url'].rsplit('/', 1)[1]}"
    order["status"] = "valid"
    CERTIFICATES[renewal_id(leaf)] = {"account": account["url"], "replaced": False, "leaf": leaf}
    return 200, shown(order), order["url"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, location=None, **headers):
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        nonce = tobase64(secrets.token_bytes(16))
        with LOCK:
            NONCES.add(nonce)
        self.send_response(status)
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.send_header("Content-Type", "application/pem-certificate-chain" if isinstance(body, bytes) else kind)
        self.send_header("Content-Length", str(len(octets)))
        self.send_header("Replay-Nonce", nonce)
        self.send_header("Cache-Control", "no-store")
        if location:
            self.send_header("Location", location)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(octets)

    def do_HEAD(self):
        self.answer(200, {})

    def do_GET(self):
        if self.path == "/dir":
            meta = {"profiles": {name: f"{BASE}/{name}" for name in PROFILES},
                "externalAccountRequired": CONFIG["externalAccountBindingRequired"]}
            self.answer(200, {"newNonce": f"{BASE}/nonce", "newAccount": f"{BASE}/new-account",
                "newOrder": f"{BASE}/new-order", "revokeCert": f"{BASE}/revoke",
                "keyChange": f"{BASE}/key-change", "renewalInfo": f"{BASE}/renewal-info", "meta": meta})
        elif self.path.startswith("/renewal-info/"):
            known = CERTIFICATES.get(self.path.rsplit("/", 1)[1])
            STATE["log"].append({"renewal-info": bool(known)})
            if not known:
                return self.answer(404, Problem("malformed", "no such certificate").body)
            leaf = known["leaf"]
            life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
            usual = [leaf.not_valid_before_utc + life * 2 / 3, leaf.not_valid_before_utc + life * 3 / 4]
            start, end = STATE["window"] or [int(one.timestamp()) for one in usual]
            text = [datetime.datetime.fromtimestamp(one, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                    for one in (start, end)]
            self.answer(200, {"suggestedWindow": {"start": text[0], "end": text[1]},
                "explanationURL": f"{BASE}/why"}, Retry_After=str(CONFIG.get("retryAfter", 21600)))
        else:
            self.answer(404 if self.path != "/nonce" else 200, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            with LOCK:
                answer = self.dispatch(*self.verified(body))
            self.answer(*answer)
        except Problem as problem:
            self.answer(problem.status, problem.body)
        except (KeyError, ValueError, TypeError) as error:
            self.answer(400, Problem("malformed", f"{type(error).__name__}: {error}").body)

    def verified(self, body):
        """RFC 8555 section 6.2 to 6.5."""
        if self.headers.get("Content-Type") != "application/jose+json":
            raise Problem("malformed", "the content type is not application/jose+json", 415)
        message = json.loads(body)
        head = json.loads(unbase64(message["protected"]))
        url = BASE + self.path
        if head["url"] != url:
            raise Problem("unauthorized", f"signed for {head['url']}, sent to {url}", 401)
        if head["alg"] != "ES256":
            raise Problem("badSignatureAlgorithm", head["alg"])
        if head["nonce"] not in NONCES:
            raise Problem("badNonce", "the nonce is unknown, or was used")
        NONCES.remove(head["nonce"])
        if ("jwk" in head) == ("kid" in head) or ("jwk" in head) != (self.path == "/new-account"):
            raise Problem("malformed", "either jwk or kid is wanted, jwk for new accounts alone")
        account = None if "jwk" in head else ACCOUNTS.get(head["kid"])
        if account is None and "jwk" not in head:
            raise Problem("accountDoesNotExist", head["kid"])
        key = account["key"] if account else head["jwk"]
        x, y = (int.from_bytes(unbase64(key[name]), "big") for name in "xy")
        signature = unbase64(message["signature"])
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
        try:
            ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().verify(
                utils.encode_dss_signature(r, s),
                f"{message['protected']}.{message['payload']}".encode(), ec.ECDSA(hashes.SHA256()))
        except Exception as error:
            raise Problem("unauthorized", "the signature is not valid", 401) from error
        payload = json.loads(unbase64(message["payload"])) if message["payload"] else None
        return payload, account, key, url

    def dispatch(self, payload, account, key, url):
        if self.path == "/new-account":
            return new_account(payload, key, url)
        if self.path == "/new-order":
            STATE["log"].append({"order": payload})
            return new_order(payload, account)
        kind, number = self.path.split("/")[1:3]
        if kind == "authorization":
            authorization = AUTHORIZATIONS[url.rsplit("/", 1)[0] if url.count("/") == 5 else url]
            if authorization["order"]["account"] != account["url"]:
                raise Problem("unauthorized", "this is another's", 403)
            if url.count("/") == 4:
                return 200, shown(authorization)
            challenge = next(one for one in authorization["challenges"] if one["url"] == url)
            if payload == {} and challenge["status"] == "pending":
                challenge["status"] = "processing"
                threading.Thread(target=validate, args=(authorization, challenge, account)).start()
            return 200, challenge
        order = ORDERS[f"{BASE}/order/{number}"]
        if order["account"] != account["url"]:
            raise Problem("unauthorized", "this is another's", 403)
        if kind == "finalize":
            return finalize(order, payload, account)
        if payload is not None:
            raise Problem("malformed", "POST-as-GET has no payload")
        return (200, order["chain"]) if kind == "certificate" else (200, shown(order), order["url"])


class Management(Handler):
    """`GET /log` tells what was asked; `POST /window` with [start, end] moves the renewal window."""

    def do_GET(self):
        self.answer(200, STATE["log"])

    def do_POST(self):
        STATE["window"] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(200, {})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self):
        # The handshake is made in the thread of the connection, by its first read.
        stream, peer = super().get_request()
        return CONTEXT.wrap_socket(stream, server_side=True, do_handshake_on_connect=False), peer


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(CONFIG["certificate"], CONFIG["privateKey"])
management, management_port = CONFIG["managementListenAddress"].split(":")
side = http.server.ThreadingHTTPServer((management, int(management_port)), Management)
threading.Thread(target=side.serve_forever, daemon=True).start()
Server((HOST, int(PORT)), Handler).serve_forever()
