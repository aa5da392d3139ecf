"""Reads metrics from standard input as Prometheus would, and prints names, types and labels."""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

families = {}
seen = set()
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.name not in families, f"{family.name} comes twice"
    assert family.documentation, f"{family.name} says nothing of itself"
    labels = set()
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in seen, f"{key} comes twice"
        seen.add(key)
        labels |= {value for name, value in sample.labels.items() if name != "le"}
    families[family.name] = {"type": family.type, "labels": sorted(labels)}
print(json.dumps(families))
