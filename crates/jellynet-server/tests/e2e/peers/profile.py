"""Reads a configuration profile, and says what does not fit Apple's description of its keys.

The keys, their types and their values: https://github.com/apple/device-management, in mdm/profiles
TopLevel.yaml, CommonPayloadKeys.yaml and com.apple.security.root.yaml. Prints "good", and the SHA-256
of the certificate.

Usage: profile.py FILE
"""

import hashlib
import plistlib
import sys
import uuid

COMMON = {"PayloadIdentifier": str, "PayloadUUID": str, "PayloadType": str, "PayloadVersion": int}
OPTIONAL = {"PayloadDescription": str, "PayloadDisplayName": str, "PayloadOrganization": str}
wrong = []


def check(what, found, required, optional, kind):
    for key, of in {**COMMON, **required}.items():
        if not isinstance(found.get(key), of):
            wrong.append(f"{what}: {key} is {found.get(key)!r}")
    for key, value in found.items():
        of = {**COMMON, **OPTIONAL, **required, **optional}.get(key)
        if of is None or not isinstance(value, of):
            wrong.append(f"{what}: {key} is unknown, or of another type: {value!r}")
    if found.get("PayloadType") != kind or found.get("PayloadVersion") != 1:
        wrong.append(f"{what}: {found.get('PayloadType')} of version {found.get('PayloadVersion')}")
    uuid.UUID(found["PayloadUUID"])


with open(sys.argv[1], "rb") as file:
    profile = plistlib.load(file, fmt=plistlib.FMT_XML)
check("profile", profile, {"PayloadContent": list}, {}, "Configuration")
[root] = profile["PayloadContent"]
check("root", root, {"PayloadContent": bytes}, {"PayloadCertificateFileName": str}, "com.apple.security.root")
for key in ("PayloadIdentifier", "PayloadUUID"):
    if root[key] == profile[key]:
        wrong.append(f"{key} is that of both")
print("\n".join(wrong) or f"good {hashlib.sha256(root['PayloadContent']).hexdigest()}")
