#!/usr/bin/env python3
"""Makes the corpus of certificate files: make.py FOLDER

Each maker that is installed contributes its files: openssl (required), keytool, pk12util,
certtool, node-forge (NODE_PATH). The last group is built byte by byte. `manifest.json` lists

    {"file": …, "key": …, "chain": …, "password": …, "expect": "ok" or the error's kind, "served": n, "maker": …}
"""

import hashlib
import hmac
import json
import os
import pathlib
import shutil
import subprocess
import sys

OUT = pathlib.Path(sys.argv[1])
MANIFEST = []
MISSING = []
P = "test-Pass1"


def run(*command, stdin=None, env=None):
    done = subprocess.run(
        [str(part) for part in command], cwd=OUT, input=stdin, capture_output=True,
        env={**os.environ, **(env or {})},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace')[-400:]}")
    return done.stdout


def add(file, expect="ok", password=None, maker="openssl", key=None, chain=None, served=None):
    MANIFEST.append({
        "file": file, "expect": expect, "password": password, "maker": maker,
        "key": key, "chain": chain, "served": served,
    })


def attempt(maker, action):
    """Makers of other versions lack some options: their files are left out, and counted."""
    try:
        action()
    except (RuntimeError, OSError) as error:
        MISSING.append(f"{maker}: {str(error)[:160]}")


# --- certificates ---------------------------------------------------------------------------

EXT = """
[leaf]
subjectAltName=DNS:example.org,DNS:*.example.org,IP:192.0.2.1
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[bare]
subjectKeyIdentifier=hash
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""

KEYS = {
    "rsa": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa3072": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    "rsa1024": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    "p256": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "k256": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    "brainpool": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"],
    "ed25519": ["genpkey", "-algorithm", "ED25519"],
    "ed448": ["genpkey", "-algorithm", "ED448"],
    "other": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
}


def certificates():
    (OUT / "ext.cnf").write_text(EXT)
    for name in ("root", "sub"):
        run("openssl", *KEYS["p256"], "-out", f"{name}.key")
    run("openssl", "req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=Root", "-days", "3650",
        "-out", "root.crt", "-extensions", "ca", "-config", conf())
    issue("sub", "Sub", "root", "ca")
    for name, command in KEYS.items():
        run("openssl", *command, "-out", f"{name}.key")
        issue(name, "example.org", "sub", "leaf")
    (OUT / "chain.crt").write_bytes(read("sub.crt") + read("root.crt"))
    for name in ("rsa", "p256"):
        (OUT / f"{name}.full").write_bytes(read(f"{name}.crt") + read("sub.crt"))
    issue("p256", "example.org", "sub", "bare", out="bare.crt")


def conf():
    (OUT / "req.cnf").write_text("[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=x\n" + EXT)
    return "req.cnf"


def issue(name, subject, issuer, section, out=None):
    run("openssl", "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject}", "-out", "tmp.csr",
        "-config", conf())
    run("openssl", "x509", "-req", "-in", "tmp.csr", "-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key",
        "-CAcreateserial", "-days", "89", "-extfile", "ext.cnf", "-extensions", section,
        "-out", out or f"{name}.crt")


def read(name):
    return (OUT / name).read_bytes()


# --- openssl --------------------------------------------------------------------------------

def pkcs12(file, *options, key="p256", chain=True, password=P, expect="ok", served=2, stated="same",
           legacy=False):
    more = ["-certfile", "chain.crt"] if chain else []
    more += ["-legacy"] if legacy else []
    run("openssl", "pkcs12", "-export", "-inkey", f"{key}.key", "-in", f"{key}.crt", *more, *options,
        "-passout", f"pass:{password}", "-out", file)
    stated = password if stated == "same" else stated
    add(file, expect, stated, served=served if expect == "ok" else None)


def openssl():
    for key in ("rsa", "rsa3072", "p256", "p384", "p521", "ed25519"):
        pkcs12(f"key-{key}.p12", key=key)
    for key in ("rsa1024", "k256", "brainpool", "ed448"):
        pkcs12(f"key-{key}.p12", key=key, expect="unsupported-key")
    for cipher in ("AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "DES-EDE3-CBC"):
        for mac in ("SHA1", "SHA256", "SHA512"):
            pkcs12(f"{cipher}-{mac}.p12", "-keypbe", cipher, "-certpbe", cipher, "-macalg", mac)
    for mac in ("MD5", "SHA224", "SHA384"):
        pkcs12(f"mac-{mac}.p12", "-macalg", mac)
    schemes = ("PBE-SHA1-3DES", "PBE-SHA1-2DES", "PBE-SHA1-RC2-128", "PBE-SHA1-RC2-40",
               "PBE-SHA1-RC4-128", "PBE-SHA1-RC4-40")
    for scheme in schemes:
        pkcs12(f"{scheme}.p12", "-keypbe", scheme, "-certpbe", scheme, legacy=True)
        pkcs12(f"{scheme}-rsa.p12", "-keypbe", scheme, "-certpbe", "NONE", key="rsa", legacy=True)
    pkcs12("legacy.p12", legacy=True)
    pkcs12("legacy-empty.p12", legacy=True, password="")
    for cipher in ("CAMELLIA-256-CBC", "ARIA-256-CBC", "CAMELLIA-128-CBC"):
        pkcs12(f"{cipher}.p12", "-keypbe", cipher, expect="unsupported-algorithm")
    pkcs12("des.p12", "-keypbe", "DES-CBC", legacy=True, expect="unsupported-algorithm")
    for rounds in (1, 2, 1000, 10_000, 300_000, 600_000):
        pkcs12(f"iter-{rounds}.p12", "-iter", str(rounds))
    pkcs12("noiter.p12", "-noiter")
    pkcs12("nomaciter.p12", "-nomaciter")
    pkcs12("nomac.p12", "-nomac")
    pkcs12("clear.p12", "-nomac", "-keypbe", "NONE", "-certpbe", "NONE")
    pkcs12("clear-other-password.p12", "-nomac", "-keypbe", "NONE", "-certpbe", "NONE", stated="x")
    pkcs12("clear-mac.p12", "-keypbe", "NONE", "-certpbe", "NONE")
    pkcs12("key-only-encrypted.p12", "-certpbe", "NONE")
    pkcs12("named.p12", "-name", "friendly näme", "-caname", "one", "-caname", "two")
    pkcs12("lmk.p12", "-LMK")
    pkcs12("csp.p12", "-CSP", "Microsoft Enhanced Cryptographic Provider", key="rsa")
    pkcs12("keysig.p12", "-keysig", key="rsa")
    pkcs12("leaf-alone.p12", chain=False, served=1)
    passwords = {
        "empty": "", "space": " ", "two-spaces": "  ", "umlaut": "pässwörd", "cyrillic": "пароль",
        "cjk": "密码", "emoji": "🔑secret😀", "long": "x" * 400, "quote": "a\"b'c\\d", "euro": "€uro",
    }
    for name, password in passwords.items():
        pkcs12(f"pw-{name}.p12", password=password)
        pkcs12(f"pw-{name}-legacy.p12", password=password, legacy=True)
    pkcs12("pw-empty-none.p12", password="", stated=None)
    pkcs12("pw-wrong.p12", stated="not it", expect="wrong-password")
    pkcs12("pw-wrong-legacy.p12", legacy=True, stated="not it", expect="wrong-password")
    pkcs12("pw-wrong-nomac.p12", "-nomac", stated="not it", expect="wrong-password")
    pkcs12("pw-missing.p12", stated=None, expect="wrong-password")
    pkcs12("pw-superfluous.p12", password="", stated="not it", expect="wrong-password")
    run("openssl", "pkcs12", "-export", "-nokeys", "-in", "rsa.full", "-passout", f"pass:{P}",
        "-out", "certs-alone.p12")
    add("certs-alone.p12", "no-private-key", P)
    run("openssl", "pkcs12", "-export", "-nocerts", "-inkey", "rsa.key", "-passout", f"pass:{P}",
        "-out", "key-alone.p12")
    add("key-alone.p12", "no-certificate", P)
    # The leaf comes last, after its issuers.
    (OUT / "reversed.pem").write_bytes(read("root.crt") + read("sub.crt") + read("p256.crt"))
    run("openssl", "pkcs12", "-export", "-inkey", "p256.key", "-in", "p256.crt", "-certfile",
        "reversed.pem", "-passout", f"pass:{P}", "-out", "reversed.p12")
    add("reversed.p12", "ok", P, served=2)
    data = read("key-rsa.p12")
    (OUT / "trailing.p12").write_bytes(data + bytes(8))
    add("trailing.p12", "ok", P, served=2)
    der = run("openssl", "base64", "-in", "key-rsa.p12")
    (OUT / "base64.p12").write_bytes(der)
    add("base64.p12", "ok", P, served=2)
    # Ours from the seed: an unprotected one, made in two commands.
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "seed.key", "-out",
        "seed.crt", "-days", "365", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1")
    run("openssl", "pkcs12", "-export", "-inkey", "seed.key", "-in", "seed.crt", "-passout", "pass:",
        "-out", "seed.pfx")
    add("seed.pfx", served=1)


def pem():
    def text(file, *parts, expect="ok", password=None, served=2, key=None, chain=None):
        (OUT / file).write_bytes(b"".join(p if isinstance(p, bytes) else read(p) for p in parts))
        add(file, expect, password, "pem", key, chain, served if expect == "ok" else None)

    for key in ("rsa", "p256"):
        text(f"{key}-both.pem", f"{key}.full", f"{key}.key")
        text(f"{key}-key-first.pem", f"{key}.key", f"{key}.full")
        text(f"{key}-two-files.pem", f"{key}.full", key=f"{key}.key")
        text(f"{key}-three-files.pem", f"{key}.crt", key=f"{key}.key", chain="chain.crt")
    text("root-first.pem", "root.crt", "sub.crt", "p256.crt", "p256.key")
    text("decoys.pem", "rsa.crt", "ed25519.crt", "p256.full", "p256.key")
    text("duplicates.pem", "p256.full", "p256.full", "p256.key")
    text("two-keys.pem", "rsa.key", "p256.full", "p256.key")
    text("bom.pem", b"\xef\xbb\xbf", "p256.full", "p256.key")
    both = read("p256.full") + read("p256.key")
    text("crlf.pem", both.replace(b"\n", b"\r\n"))
    text("cr.pem", both.replace(b"\n", b"\r"))
    text("indented.pem", b"".join(b"    " + line + b"\n" for line in both.split(b"\n")))
    text("utf16le.pem", b"\xff\xfe" + both.decode().encode("utf-16-le"))
    text("utf16be.pem", b"\xfe\xff" + both.decode().encode("utf-16-be"))
    text("escaped.pem", both.replace(b"\n", b"\\n"))
    text("prose.pem", b"Subject: CN=x\n\n", "p256.full", b"\n# the key\n", "p256.key", b"bye")
    text("x509-label.pem", both.replace(b"N CERT", b"N X509 CERT").replace(b"D CERT", b"D X509 CERT"))
    trusted = run("openssl", "x509", "-in", "p256.crt", "-trustout", "-addtrust", "serverAuth")
    text("trusted.pem", trusted, "sub.crt", "p256.key")
    p7 = run("openssl", "crl2pkcs7", "-nocrl", "-certfile", "p256.full")
    text("pkcs7.pem", p7, "p256.key")
    sec1 = run("openssl", "ec", "-in", "p256.key")
    text("sec1.pem", "p256.full", sec1)
    text("sec1-params.pem", run("openssl", "ecparam", "-name", "prime256v1"), sec1, "p256.full")
    text("sec1-no-public.pem", run("openssl", "ec", "-in", "p256.key", "-no_public"), "p256.full")
    pkcs1 = run("openssl", "rsa", "-in", "rsa.key", "-traditional")
    text("pkcs1.pem", "rsa.full", pkcs1)
    for cipher in ("aes128", "aes256", "des3"):
        locked = run("openssl", "rsa", "-in", "rsa.key", "-traditional", f"-{cipher}", "-passout",
                     f"pass:{P}")
        text(f"proc-type-{cipher}.pem", "rsa.full", locked, password=P)
    text("proc-type-wrong.pem", "rsa.full", locked, password="no", expect="wrong-password")
    locked = run("openssl", "pkcs8", "-topk8", "-in", "p256.key", "-v2", "aes256", "-passout", f"pass:{P}")
    text("pkcs8-locked.pem", "p256.full", locked, password=P)
    text("pkcs8-wrong.pem", "p256.full", locked, password="no", expect="wrong-password")
    text("pkcs8-missing.pem", "p256.full", locked, expect="wrong-password")
    scrypt = run("openssl", "pkcs8", "-topk8", "-in", "p256.key", "-scrypt", "-passout", f"pass:{P}")
    text("pkcs8-scrypt.pem", "p256.full", scrypt, password=P)
    v1 = run("openssl", "pkcs8", "-topk8", "-in", "p256.key", "-v1", "PBE-SHA1-3DES", "-passout", f"pass:{P}")
    text("pkcs8-v1.pem", "p256.full", v1, password=P)
    text("certs-alone.pem", "p256.full", expect="no-private-key")
    text("key-alone.pem", "p256.key", expect="no-certificate")
    text("request.pem", run("openssl", "req", "-new", "-key", "p256.key", "-subj", "/CN=x"),
         expect="no-certificate")
    text("public.pem", run("openssl", "pkey", "-in", "p256.key", "-pubout"), expect="no-certificate")
    text("mismatch.pem", "p256.full", "other.key", expect="key-mismatch")
    text("mismatch-rsa.pem", "p256.full", "rsa.key", expect="key-mismatch")
    text("cut.pem", both[:-40], expect="malformed")
    text("cut-middle.pem", both[:300], expect="malformed")
    text("no-base64.pem", both.replace(b"MII", b"M?I", 1), expect="malformed")
    text("leaf-only.pem", "p256.crt", "p256.key", served=1)
    text("bare-san.pem", "bare.crt", "p256.key", served=1)
    text("empty.pem", b"", expect="not-pkcs12")
    text("blank.pem", b" \n\n", expect="not-pkcs12")
    text("web.pem", b"<!doctype html><title>404</title>", expect="not-pkcs12")
    text("text.pem", b"there is no certificate here\n", expect="not-pkcs12")
    text("zeros.pfx", bytes(1000), expect="not-pkcs12")
    for name in ("p256.crt", "p256.key"):
        out = name.replace("p256.", "der-")
        kind = "x509" if name.endswith("crt") else "pkey"
        run("openssl", kind, "-in", name, "-outform", "DER", "-out", out)
    add("der-crt", "not-pkcs12", maker="der")
    add("der-key", "no-certificate", maker="der")
    add("der-crt", "ok", maker="der", key="der-key", chain="chain.crt", served=2)
    run("openssl", "crl2pkcs7", "-nocrl", "-certfile", "p256.full", "-outform", "DER", "-out", "der.p7b")
    add("der.p7b", "not-pkcs12", maker="der")
    add("der.p7b", "ok", maker="der", key="p256.key", served=2)
    run("openssl", "req", "-new", "-key", "p256.key", "-subj", "/CN=x", "-outform", "DER", "-out", "der.csr")
    add("der.csr", "not-pkcs12", maker="der")
    (OUT / "archive.pfx").write_bytes(b"PK\x03\x04" + bytes(60))
    add("archive.pfx", "not-pkcs12", maker="der")
    live = OUT / "live"
    live.mkdir(exist_ok=True)
    for name, source in (("cert.pem", "p256.crt"), ("chain.pem", "sub.crt"), ("fullchain.pem", "p256.full"),
                         ("privkey.pem", "p256.key")):
        shutil.copy(OUT / source, live / name)
    (live / "README").write_text("This folder contains your keys and certificates.\n")
    add("live", "ok", maker="pem", served=2)
    (OUT / "hollow").mkdir(exist_ok=True)
    add("hollow", "io", maker="pem")
    add("nowhere.pfx", "io", maker="pem")


# --- other makers ---------------------------------------------------------------------------

def keytool():
    def store(file, *options, password=P, kind="PKCS12", java=(), expect="ok"):
        (OUT / file).unlink(missing_ok=True)
        run("keytool", *java, "-genkeypair", "-alias", "tls", "-keyalg", "RSA", "-keysize", "2048", "-dname",
            "CN=example.org", "-ext", "san=dns:example.org", "-validity", "89", "-storetype", kind,
            "-keystore", file, "-storepass", password, *options)
        add(file, expect, password, "keytool", served=1 if expect == "ok" else None)

    store("keytool.p12")
    store("keytool-legacy.p12", java=("-J-Dkeystore.pkcs12.legacy",))
    store("keytool-umlaut.p12", password="pässwörd", java=("-J-Dfile.encoding=UTF-8", "-J-Dsun.jnu.encoding=UTF-8")) \
        if os.environ.get("LC_ALL", "").endswith("UTF-8") else None
    store("keytool.jks", kind="JKS", expect="not-pkcs12")
    store("keytool.jceks", kind="JCEKS", expect="not-pkcs12")
    for name, option in (("3des", "PBEWithSHA1AndDESede"), ("rc2", "PBEWithSHA1AndRC2_40"),
                         ("aes128", "PBEWithHmacSHA1AndAES_128"), ("aes256", "PBEWithHmacSHA512AndAES_256")):
        store(f"keytool-{name}.p12", java=(f"-J-Dkeystore.pkcs12.keyProtectionAlgorithm={option}",
                                           f"-J-Dkeystore.pkcs12.certProtectionAlgorithm={option}"))
    store("keytool-nomac.p12", java=("-J-Dkeystore.pkcs12.macAlgorithm=NONE",))
    store("keytool-clear-certs.p12", java=("-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE",))
    store("keytool-mac1.p12", java=("-J-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA1",))
    store("keytool-mac512.p12", java=("-J-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA512",))
    run("keytool", "-importkeystore", "-srckeystore", "key-p256.p12", "-srcstoretype", "PKCS12", "-srcstorepass", P,
        "-destkeystore", "keytool-import.p12", "-deststoretype", "PKCS12", "-deststorepass", P, "-noprompt")
    add("keytool-import.p12", "ok", P, "keytool", served=2)
    run("keytool", "-importcert", "-alias", "ca", "-file", "root.crt", "-keystore", "keytool-trust.p12",
        "-storetype", "PKCS12", "-storepass", P, "-noprompt")
    add("keytool-trust.p12", "no-private-key", P, "keytool")


def pk12util():
    database = OUT / "nss"
    database.mkdir(exist_ok=True)
    (OUT / "nss.pw").write_text("database\n")
    run("certutil", "-N", "-d", "sql:nss", "-f", "nss.pw")
    for name in ("rsa", "p256"):
        run("pk12util", "-i", f"key-{name}.p12", "-d", "sql:nss", "-k", "nss.pw", "-W", P)
    listed = run("certutil", "-L", "-d", "sql:nss").decode()
    nickname = next(line for line in listed.splitlines() if "u,u,u" in line).rsplit(None, 1)[0].strip()
    def export(file, *options, password=P):
        run("pk12util", "-o", file, "-n", nickname, "-d", "sql:nss", "-k", "nss.pw", "-W", password, *options)
        add(file, "ok", password, "pk12util")
    export("nss.p12")
    for cipher in ("AES-128-CBC", "AES-192-CBC", "AES-256-CBC"):
        attempt("pk12util", lambda: export(f"nss-{cipher}.p12", "-c", cipher, "-C", cipher))
    for index, cipher in enumerate(("PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC",
                                    "PKCS #12 V2 PBE With SHA-1 And 128 Bit RC4",
                                    "PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC")):
        attempt("pk12util", lambda: export(f"nss-old{index}.p12", "-c", cipher, "-C", cipher))
    attempt("pk12util", lambda: export("nss-clear.p12", "-C", "none"))
    attempt("pk12util", lambda: export("nss-umlaut.p12", password="pässwörd"))


def certtool():
    def make(file, *options, password=P, key="rsa", expect="ok", outder=True):
        more = ["--outder"] if outder else []
        run("certtool", "--to-p12", "--load-privkey", f"{key}.key", "--load-certificate", f"{key}.crt",
            "--load-ca-certificate", "chain.crt", "--p12-name", "tls", "--password", password, *more,
            "--outfile", file, *options)
        add(file, expect, password, "certtool")
    make("gnutls.p12")
    make("gnutls-p256.p12", key="p256")
    make("gnutls-pem.p12", outder=False)
    make("gnutls-umlaut.p12", password="pässwörd")
    for cipher in ("3des", "3des-pkcs12", "aes-128", "aes-192", "aes-256", "rc2-40", "arcfour"):
        attempt("certtool", lambda: make(f"gnutls-{cipher}.p12", "--pkcs-cipher", cipher))
    for mac in ("sha1", "sha384", "sha512"):
        attempt("certtool", lambda: make(f"gnutls-{mac}.p12", "--hash", mac))
    attempt("certtool", lambda: make("gnutls-empty.p12", "--empty-password", password=""))
    attempt("certtool", lambda: make("gnutls-null.p12", "--null-password", password=""))


FORGE = r"""
const forge = require('node-forge'), fs = require('fs');
const key = forge.pki.privateKeyFromPem(fs.readFileSync('rsa.key', 'utf8'));
const chain = ['rsa.crt', 'sub-rsa.crt'].filter(f => fs.existsSync(f))
  .map(f => forge.pki.certificateFromPem(fs.readFileSync(f, 'utf8')));
const make = (file, password, options) => fs.writeFileSync(file, Buffer.from(forge.asn1.toDer(
  forge.pkcs12.toPkcs12Asn1(key, chain, password, options)).getBytes(), 'binary'));
make('forge.p12', process.argv[2], {});
make('forge-3des.p12', process.argv[2], {algorithm: '3des'});
make('forge-aes128.p12', process.argv[2], {algorithm: 'aes128'});
make('forge-many.p12', process.argv[2], {count: 100000});
make('forge-nomac.p12', process.argv[2], {useMac: false});
make('forge-empty.p12', '', {algorithm: '3des'});
make('forge-null.p12', null, {algorithm: '3des'});
make('forge-name.p12', process.argv[2], {friendlyName: 'x', generateLocalKeyId: false});
"""


def forge():
    # It reads RSA certificates only, and those of an RSA issuer.
    run("openssl", "req", "-x509", "-new", "-key", "rsa.key", "-subj", "/CN=example.org", "-days", "89", "-out",
        "forge.crt", "-addext", "subjectAltName=DNS:example.org")
    (OUT / "forge.js").write_text(FORGE.replace("'rsa.crt', 'sub-rsa.crt'", "'forge.crt'"))
    run("node", "forge.js", P)
    for name in ("", "-3des", "-aes128", "-many", "-nomac", "-name"):
        add(f"forge{name}.p12", "ok", P, "node-forge", served=1)
    add("forge-empty.p12", "ok", "", "node-forge", served=1)
    add("forge-null.p12", "ok", None, "node-forge", served=1)


# --- byte by byte ---------------------------------------------------------------------------

def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + body


def seq(*parts):
    return tlv(0x30, *parts)


def number(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(text):
    arcs = [int(arc) for arc in text.split(".")]
    out = b""
    for arc in [arcs[0] * 40 + arcs[1], *arcs[2:]]:
        digits = [arc & 0x7f]
        while arc := arc >> 7:
            digits.insert(0, arc & 0x7f | 0x80)
        out += bytes(digits)
    return tlv(6, out)


DATA = oid("1.2.840.113549.1.7.1")


def octets(value):
    return tlv(4, value)


def data_info(content):
    return seq(DATA, tlv(0xa0, octets(content)))


def pfx(safe, mac=b"", version=3):
    return seq(number(version), data_info(safe), mac)


def mac_data(rounds, digest="2.16.840.1.101.3.4.2.1", value=bytes(32)):
    return seq(seq(seq(oid(digest), tlv(5)), octets(value)), octets(b"saltsalt"), number(rounds))


def hostile():
    def put(file, content, expect, password=P):
        (OUT / file).write_bytes(content)
        add(file, expect, password, "by hand")

    empty = seq()
    for rounds in (2**31 - 1, 2**31, 2**32, 5_000_001, 2**63 - 1):
        put(f"mac-{rounds}.p12", pfx(empty, mac_data(rounds)), "limit-exceeded")
    for rounds in (0, -1, -2**31, 2**80):
        put(f"mac-bad{rounds}.p12", pfx(empty, mac_data(rounds)), "malformed")
    put("mac-short.p12", pfx(empty, mac_data(1, value=bytes(8))), "wrong-password")
    put("mac-none.p12", pfx(empty, mac_data(1, value=b"")), "wrong-password")
    put("mac-sha3.p12", pfx(empty, mac_data(1, "2.16.840.1.101.3.4.2.8")), "unsupported-algorithm")
    put("version-4.p12", pfx(empty, version=4), "malformed")
    put("nothing.p12", pfx(empty), "no-certificate")
    signed = seq(number(3), seq(oid("1.2.840.113549.1.7.2"), tlv(0xa0, seq())))
    put("signed.p12", signed, "unsupported-algorithm")
    enveloped = seq(seq(oid("1.2.840.113549.1.7.3"), tlv(0xa0, seq())))
    put("enveloped.p12", pfx(enveloped), "unsupported-algorithm")
    nested = octets(b"")
    for _ in range(2000):
        nested = seq(nested)
    put("nested-2000.p12", nested, "malformed")
    put("nested-2000-inside.p12", pfx(nested), "malformed")
    put("indefinite-deep.p12", b"\x30\x80" * 100_000, "malformed")
    bag = seq()
    for _ in range(2000):
        bag = seq(seq(oid("1.2.840.113549.1.12.10.1.6"), tlv(0xa0, bag)))
    put("bags-2000-deep.p12", pfx(seq(data_info(bag))), "malformed")
    bag = seq()
    for _ in range(9):
        bag = seq(seq(oid("1.2.840.113549.1.12.10.1.6"), tlv(0xa0, bag)))
    put("bags-9-deep.p12", pfx(seq(data_info(bag))), "limit-exceeded")
    many = seq(*[seq(oid("1.2.840.113549.1.12.10.1.5"), tlv(0xa0, tlv(5)))] * 501)
    put("bags-501.p12", pfx(seq(data_info(many))), "limit-exceeded")

    def shrouded(algorithm):
        key = seq(algorithm, octets(bytes(64)))
        return pfx(seq(data_info(seq(seq(oid("1.2.840.113549.1.12.10.1.2"), tlv(0xa0, key))))))

    def pbes2(kdf, cipher="2.16.840.1.101.3.4.1.42", iv=bytes(16)):
        return seq(oid("1.2.840.113549.1.5.13"), seq(kdf, seq(oid(cipher), octets(iv))))

    def pbkdf2(rounds, *more, salt=octets(b"12345678")):
        return seq(oid("1.2.840.113549.1.5.12"), seq(salt, number(rounds), *more))

    def scrypt(cost, block, lanes):
        return seq(oid("1.3.6.1.4.1.11591.4.11"), seq(octets(b"12345678"), number(cost), number(block), number(lanes)))

    put("kdf-huge.p12", shrouded(pbes2(pbkdf2(2**31 - 1))), "limit-exceeded")
    put("kdf-zero.p12", shrouded(pbes2(pbkdf2(0))), "malformed")
    put("kdf-negative.p12", shrouded(pbes2(pbkdf2(-5))), "malformed")
    put("kdf-length.p12", shrouded(pbes2(pbkdf2(1, number(5)))), "malformed")
    put("kdf-length-huge.p12", shrouded(pbes2(pbkdf2(1, number(2**40)))), "malformed")
    put("kdf-iv.p12", shrouded(pbes2(pbkdf2(1), iv=bytes(3))), "malformed")
    put("kdf-no-salt.p12", shrouded(pbes2(pbkdf2(1, salt=b""))), "malformed")
    put("kdf-prf.p12", shrouded(pbes2(pbkdf2(1, seq(oid("1.2.643.7.1.1.4.1"))))), "unsupported-algorithm")
    put("scrypt-memory.p12", shrouded(pbes2(scrypt(2**30, 8, 1))), "limit-exceeded")
    put("scrypt-lanes.p12", shrouded(pbes2(scrypt(2**14, 8, 2**20))), "limit-exceeded")
    put("scrypt-odd.p12", shrouded(pbes2(scrypt(1000, 8, 1))), "malformed")
    pbe1 = seq(oid("1.2.840.113549.1.12.1.3"), seq(octets(b"12345678"), number(2**31 - 1)))
    put("pbe1-huge.p12", shrouded(pbe1), "limit-exceeded")
    many = seq(*[seq(oid("1.2.840.113549.1.12.10.1.2"),
                     tlv(0xa0, seq(pbes2(pbkdf2(1_000_000)), octets(bytes(64)))))] * 400)
    put("kdf-in-sum.p12", pfx(seq(data_info(many))), "limit-exceeded")
    put("large.p12", pfx(bytes(5 << 20)), "limit-exceeded")

    # PBMAC1 (RFC 9579), which OpenSSL writes since 3.4 only: its check over contents in clear.
    clear = pfx_content(read("clear.p12"))

    def pbmac1(hash_name, digest, length, rounds=2048, stated=True):
        hmacs = {"sha1": 7, "sha256": 9, "sha384": 10, "sha512": 11}
        key = hashlib.pbkdf2_hmac(hash_name, P.encode(), b"saltsalt", rounds, length)
        value = hmac.new(key, clear, digest).digest()
        prf = seq(oid(f"1.2.840.113549.2.{hmacs[hash_name]}"), tlv(5))
        kdf = pbkdf2(rounds, *([number(length)] if stated else []), prf, salt=octets(b"saltsalt"))
        params = seq(kdf, seq(oid(f"1.2.840.113549.2.{hmacs[digest]}"), tlv(5)))
        info = seq(seq(oid("1.2.840.113549.1.5.14"), params), octets(value))
        return seq(number(3), data_info(clear), seq(info, octets(b"NOT USED"), number(1)))

    for prf in ("sha256", "sha384", "sha512", "sha1"):
        for digest in ("sha256", "sha512"):
            put(f"pbmac1-{prf}-{digest}.p12", pbmac1(prf, digest, 32 if digest == "sha256" else 64), "ok")
    put("pbmac1-short.p12", pbmac1("sha256", "sha256", 19), "malformed")
    put("pbmac1-no-length.p12", pbmac1("sha256", "sha256", 32, stated=False), "malformed")
    put("pbmac1-huge.p12", pbmac1("sha256", "sha256", 32).replace(number(2048), number(0x7fff)), "wrong-password")
    put("pbmac1-wrong.p12", pbmac1("sha256", "sha256", 32), "wrong-password", "not it")

    # Indefinite lengths and strings in pieces, around what openssl made.
    def indefinite(data):
        tag, body, rest = split(data)
        if tag & 0x20:
            inside = b""
            while body:
                one, body = first(body)
                inside += indefinite(one)
            return bytes([tag, 0x80]) + inside + b"\0\0"
        if tag == 4 and len(body) > 40:
            pieces = b"".join(tlv(4, body[i:i + 33]) for i in range(0, len(body), 33))
            return b"\x24\x80" + pieces + b"\0\0"
        return data

    def split(data):
        tag, length, at = data[0], data[1], 2
        if length & 0x80:
            at += length & 0x7f
            length = int.from_bytes(data[2:at], "big")
        return tag, data[at:at + length], data[at + length:]

    def first(data):
        rest = split(data)[2]
        return data[:len(data) - len(rest)], rest

    for name in ("key-rsa", "nomac", "legacy", "clear"):
        put(f"ber-{name}.p12", indefinite(read(f"{name}.p12")), "ok")
    whole = read("key-p256.p12")
    step = 1 if len(whole) < 1500 else 3
    for end in range(0, len(whole), step):
        (OUT / "cut").mkdir(exist_ok=True)
        (OUT / "cut" / f"{end:05}.p12").write_bytes(whole[:end])
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xff
    put("flipped.p12", bytes(flipped), "wrong-password")


def pfx_content(data):
    """The octets within the outer ContentInfo of a file with definite lengths."""
    def inside(data):
        size = 2 + (data[1] & 0x7f if data[1] & 0x80 else 0)
        length = int.from_bytes(data[2:size], "big") if data[1] & 0x80 else data[1]
        return data[size:size + length], data[size + length:]
    info, _ = inside(inside(inside(data)[0])[1])
    return inside(inside(inside(info)[1])[0])[0]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    certificates()
    openssl()
    pem()
    for tool, maker in (("keytool", keytool), ("pk12util", pk12util), ("certtool", certtool), ("node", forge)):
        if shutil.which(tool):
            attempt(tool, maker)
        else:
            MISSING.append(f"{tool}: not installed")
    hostile()
    (OUT / "manifest.json").write_text(json.dumps({"files": MANIFEST, "missing": MISSING}, indent=1))
    print(f"{len(MANIFEST)} files", *MISSING, sep="\n")


main()
