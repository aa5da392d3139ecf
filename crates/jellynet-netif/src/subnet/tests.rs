use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn set(entries: &[&str]) -> SubnetSet {
    SubnetSet::parse(entries).unwrap()
}

#[test]
fn an_entry_is_read_as_jellyfin_reads_it() {
    for (entry, expected, why) in [
        ("192.168.1.10", "192.168.1.10/32", "one address"),
        ("fd00::1", "fd00::1/128", "one address"),
        ("192.168.1.77/24", "192.168.1.0/24", "host bits"),
        ("fd23:184f:2029:100::7/56", "fd23:184f:2029:100::/56", "host bits"),
        ("0.0.0.0", "0.0.0.0/0", "everything of the family"),
        ("::", "::/0", "everything of the family"),
        ("0.0.0.0/32", "0.0.0.0/32", "unless a prefix says otherwise"),
        (" \t10.0.0.0/8 ", "10.0.0.0/8", "blanks around"),
        ("[fd00::1]", "fd00::1/128", "brackets"),
        ("[fd00::]/8", "fd00::/8", "brackets around the address"),
        ("[fd00::/8]", "fd00::/8", "brackets around all of it"),
        ("fe80::1%eth0", "fe80::1/128", "zone"),
        ("fe80::1%eth0/64", "fe80::/64", "zone before the prefix"),
        ("[fe80::1%3]/64", "fe80::/64", "zone in brackets"),
        ("::ffff:10.1.2.3", "10.1.2.3/32", "mapped"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8", "mapped with a prefix"),
        ("!10.1.0.0/16", "!10.1.0.0/16", "exclusion"),
        (" ! 10.1.0.0/16", "!10.1.0.0/16", "exclusion with blanks"),
        ("Loopback", "127.0.0.0/8, ::1/128", "named, any letter case"),
        ("!cgnat", "!100.64.0.0/10", "named, excluded"),
    ] {
        assert_eq!(set(&[entry]).to_string(), expected, "{entry:?}: {why}");
    }
}

#[test]
fn every_bad_entry_is_named_with_what_was_meant() {
    use BadSubnetReason as Reason;
    let cases = [
        ("", Reason::Empty, None),
        ("  ", Reason::Empty, None),
        ("!", Reason::Empty, None),
        ("!!10.0.0.0/8", Reason::ExcludedTwice, Some("!10.0.0.0/8")),
        ("fd23:184f:2029:0100/56", Reason::ShortIpv6, Some("fd23:184f:2029:0100::/56")),
        ("!fd23:184f:2029:0100/56", Reason::ShortIpv6, Some("!fd23:184f:2029:0100::/56")),
        ("fd23:184f:2029:0100:/56", Reason::ShortIpv6, Some("fd23:184f:2029:0100::/56")),
        ("fd23:184f", Reason::ShortIpv6, Some("fd23:184f::/32")),
        ("10.0.0.0/255.0.0.0", Reason::Netmask, Some("10.0.0.0/8")),
        ("10.0.0.0/255.0.255.0", Reason::Netmask, None),
        ("192.168.001.010", Reason::LeadingZeros, Some("192.168.1.10")),
        ("192.168.001.0/255.255.255.0", Reason::LeadingZeros, Some("192.168.1.0/24")),
        ("192.168.1/24", Reason::ShortIpv4, Some("192.168.1.0/24")),
        ("192.168.1.*", Reason::ShortIpv4, Some("192.168.1.0/24")),
        ("10.*.*.*", Reason::ShortIpv4, Some("10.0.0.0/8")),
        ("10.", Reason::ShortIpv4, Some("10.0.0.0/8")),
        ("10/8", Reason::ShortIpv4, Some("10.0.0.0/8")),
        ("10.0.0.0/33", Reason::PrefixTooLong { max: 32 }, None),
        ("fd00::/129", Reason::PrefixTooLong { max: 128 }, None),
        ("10.0.0.0/999999999999", Reason::PrefixTooLong { max: 32 }, None),
        ("10.0.0.0/+8", Reason::PrefixSyntax, None),
        ("10.0.0.0/08", Reason::PrefixSyntax, Some("10.0.0.0/8")),
        ("10.0.0.0/", Reason::PrefixSyntax, None),
        ("10.0.0.0 / 8", Reason::Blank, Some("10.0.0.0/8")),
        ("::ffff:10.0.0.0/8", Reason::MappedPrefix, Some("10.0.0.0/8")),
        ("10.0.0.1:8096", Reason::Port, Some("10.0.0.1")),
        ("[fd00::1]:8096", Reason::Port, Some("fd00::1")),
        ("http://10.0.0.1:8096/web", Reason::Url, Some("10.0.0.1")),
        ("https://media.example", Reason::Url, None),
        ("10.0.0.0/8,192.168.0.0/16", Reason::Several, None),
        ("10.0.0.0/8 192.168.0.0/16", Reason::Several, None),
        ("10.0.0.1-10.0.0.9", Reason::Range, None),
        ("[10.0.0.1]", Reason::NotASubnet, None),
        ("10.0.0.1%eth0", Reason::NotASubnet, Some("10.0.0.1")),
        ("fe80::1%", Reason::NotASubnet, None),
        ("10.0.0.256", Reason::NotASubnet, None),
        ("10.0.0.0.0/8", Reason::NotASubnet, None),
        ("media.example", Reason::NotASubnet, None),
        ("eth0", Reason::NotASubnet, None),
        ("1:2:3:4:5:6:7:8:9", Reason::NotASubnet, None),
        ("link local", Reason::Blank, None),
    ];
    let error = SubnetSet::parse(cases.iter().map(|(entry, ..)| entry)).unwrap_err();
    assert_eq!(error.bad().len(), cases.len(), "{error}");
    for (index, ((entry, reason, hint), bad)) in cases.iter().zip(error.bad()).enumerate() {
        assert_eq!(bad.index, index);
        assert_eq!(bad.entry, *entry);
        assert_eq!(bad.reason, *reason, "{entry:?}");
        assert_eq!(bad.hint.as_deref(), *hint, "{entry:?}");
        if let Some(hint) = hint {
            set(&[hint]);
        }
    }
}

#[test]
fn the_error_says_where_what_and_how_to_mend_it() {
    let entries = ["10.0.0.0/8", "fd23:184f:2029:0100/56", "::1", "lan"];
    assert_eq!(
        SubnetSet::parse(entries).unwrap_err().to_string(),
        "entry [1] \"fd23:184f:2029:0100/56\": an IPv6 address has eight groups or a `::`, \
         write `fd23:184f:2029:0100::/56`; entry [3] \"lan\": it is no address, no subnet and \
         none of private, tailscale, cgnat, link-local, loopback"
    );
}

#[test]
fn exclusions_win_whatever_their_order_and_length() {
    let lan = set(&["!10.0.0.0/9", "10.0.0.0/8", "10.1.2.3", "!10.200.0.7"]);
    for (address, expected, why) in [
        ("10.128.0.1", Some("10.0.0.0/8"), "included"),
        ("10.127.255.255", None, "the exclusion's last address"),
        ("10.128.0.0", Some("10.0.0.0/8"), "the first behind it"),
        ("10.1.2.3", None, "a longer inclusion does not win"),
        ("10.200.0.7", None, "one address excluded"),
        ("10.200.0.8", Some("10.0.0.0/8"), "its neighbour"),
        ("::ffff:10.200.0.8", Some("10.0.0.0/8"), "mapped"),
        ("11.0.0.0", None, "never included"),
        ("::a80:1", None, "another family"),
    ] {
        let expected = expected.map(|net| net.parse().unwrap());
        assert_eq!(lan.longest_match(ip(address)), expected, "{address}: {why}");
        assert_eq!(lan.contains(ip(address)), expected.is_some(), "{address}: {why}");
    }
}

#[test]
fn only_exclusions_contain_nothing_until_a_default_is_given() {
    let guests = set(&["!192.168.9.0/24"]);
    assert!(guests.only_excludes() && guests.is_empty());
    assert!(!guests.contains(ip("192.168.1.1")));

    let lan = guests.including_if_none(NamedSubnets::Private.subnets());
    assert!(lan.contains(ip("192.168.1.1")) && lan.contains(ip("fe80::1")));
    assert!(!lan.contains(ip("192.168.9.1")));
    assert!(!lan.contains(ip("100.64.0.1")), "never implied");

    let own = set(&["10.0.0.0/8"]).including_if_none(NamedSubnets::Private.subnets());
    assert!(!own.contains(ip("192.168.1.1")), "a list of its own stays");
}

#[test]
fn a_set_is_empty_when_no_address_is_in_it() {
    assert!(SubnetSet::default().is_empty());
    assert!(!SubnetSet::default().only_excludes());
    assert!(set(&["10.0.0.0/8", "!10.0.0.0/9", "!10.128.0.0/9"]).is_empty());
    assert!(!set(&["::1"]).is_empty());
    assert!(!set(&["0.0.0.0/0", "!0.0.0.0/1"]).is_empty());
}

#[test]
fn the_ends_of_the_address_space_are_in_reach() {
    let all = set(&["0.0.0.0", "::"]);
    for address in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
        assert!(all.contains(ip(address)), "{address}");
    }
    assert!(set(&["255.255.255.255"]).contains(ip("255.255.255.255")));
    assert!(!set(&["0.0.0.0/32"]).contains(ip("0.0.0.1")));
}

#[test]
fn mapped_subnets_given_as_types_are_undone_too() {
    let lan = SubnetSet::new(["::ffff:10.0.0.0/104".parse().unwrap()]);
    assert!(lan.contains(ip("10.9.9.9")));
}

#[cfg(feature = "serde")]
#[test]
fn a_set_survives_json() {
    let lan = set(&["10.0.0.0/8", "!10.1.0.0/16", "fd00::/8"]);
    let json = serde_json::to_string(&lan).unwrap();
    assert_eq!(json, r#"["10.0.0.0/8","fd00::/8","!10.1.0.0/16"]"#);
    assert_eq!(serde_json::from_str::<SubnetSet>(&json).unwrap(), lan);
    let error = serde_json::from_str::<SubnetSet>(r#"["10/8"]"#).unwrap_err();
    assert!(error.to_string().contains("write `10.0.0.0/8`"), "{error}");
}

#[test]
fn distant_crowds_of_thousands_are_told_apart() {
    let crowd = |third: u8| move |n: u16| format!("{third}.7.{}.{}/31", n >> 7, (n & 127) * 2);
    let near = (0..5_000).map(crowd(10));
    let far = (0..5_000).map(crowd(200)).step_by(2);
    let lan = SubnetSet::parse(near.chain(far).chain(["!200.7.3.0/24".into()])).unwrap();
    for (address, expected) in [
        ("10.6.255.255", false),
        ("10.7.0.0", true),
        ("10.7.39.15", true),
        ("10.7.39.16", false),
        ("99.0.0.0", false),
        ("200.7.2.4", true),
        ("200.7.2.6", false),
        ("200.7.3.4", false),
        ("200.7.39.12", true),
        ("200.7.39.14", false),
        ("255.255.255.255", false),
    ] {
        assert_eq!(lan.contains(ip(address)), expected, "{address}");
    }
}

/// Subnets that nest and touch often: few distinct bits, any length.
fn any_net() -> impl Strategy<Value = IpNet> {
    let v4 = (0u32..64, 0u8..=32).prop_map(|(bits, len)| {
        IpNet::new(Ipv4Addr::from(bits.reverse_bits() | (bits & 7)).into(), len).unwrap()
    });
    let v6 = (0u128..64, 0u8..=128).prop_map(|(bits, len)| {
        IpNet::new(Ipv6Addr::from(bits.reverse_bits() | (bits & 7)).into(), len).unwrap()
    });
    prop_oneof![v4, v6]
}

/// What the set means, word for word.
fn naive(included: &[IpNet], excluded: &[IpNet], ip: IpAddr) -> Option<IpNet> {
    if excluded.iter().any(|net| net.contains(&ip)) {
        return None;
    }
    let holding = included.iter().filter(|net| net.contains(&ip));
    holding.max_by_key(|net| net.prefix_len()).map(IpNet::trunc)
}

proptest! {
    #[test]
    fn lookup_agrees_with_the_naive_model(
        included in proptest::collection::vec(any_net(), 0..60),
        excluded in proptest::collection::vec(any_net(), 0..8),
        others in proptest::collection::vec(any_net(), 0..30),
    ) {
        // IPv6 subnets around ::ffff:0:0/96 never hold an address that was unmapped.
        let mapped = |net: &IpNet| net.addr() != unmapped(net.addr());
        prop_assume!(!included.iter().chain(&excluded).any(mapped));
        let set = SubnetSet::with_exclusions(included.clone(), excluded.clone());
        let nets = included.iter().chain(&excluded).chain(&others);
        let edges = nets.flat_map(|net| [net.network(), net.broadcast(), net.addr()]);
        for ip in edges.map(unmapped) {
            prop_assert_eq!(set.longest_match(ip), naive(&included, &excluded, ip), "{}", ip);
        }
    }

    #[test]
    fn what_is_shown_is_read_back(
        included in proptest::collection::vec(any_net(), 0..20),
        excluded in proptest::collection::vec(any_net(), 0..20),
    ) {
        let set = SubnetSet::with_exclusions(included, excluded);
        let shown = set.to_string();
        let entries = shown.split(", ").filter(|entry| !entry.is_empty());
        prop_assert_eq!(SubnetSet::parse(entries).unwrap(), set);
    }

    #[test]
    fn no_text_panics_and_every_hint_can_be_read(text in "[!\\[\\]0-9a-f:./%* -]{0,24}|\\PC{0,24}") {
        if let Err(error) = SubnetSet::parse([&text]) {
            prop_assert_eq!(error.bad().len(), 1);
            if let Some(hint) = &error.bad()[0].hint {
                prop_assert!(SubnetSet::parse([hint]).is_ok(), "{} for {}", hint, text);
            }
        }
    }
}
