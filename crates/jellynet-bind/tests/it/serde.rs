use jellynet_bind::Listen;

#[test]
fn a_listener_is_a_string_in_a_configuration() {
    let listens: Vec<Listen> =
        serde_json::from_str(r#"["*:8096", "unix:/run/x?mode=0660"]"#).unwrap();
    assert_eq!(serde_json::to_string(&listens).unwrap(), r#"["*:8096","unix:/run/x?mode=0660"]"#);
    let error = serde_json::from_str::<Listen>("\"8096\"").unwrap_err();
    assert!(error.to_string().contains("write `*:8096`"), "{error}");
}
