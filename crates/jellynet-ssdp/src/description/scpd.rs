//! The service descriptions of a media server, with the actions that their standards require.

use bytes::Bytes;

use super::xml::Writer;

/// An action: its name, what goes in and what comes out, each with its state variable.
type Action = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

/// A state variable: its name, its data type, whether it is evented, and its allowed values.
type Variable = (&'static str, &'static str, bool, &'static [&'static str]);

/// The service description of `ContentDirectory:1`: the four required actions.
#[must_use]
pub fn content_directory_scpd() -> Bytes {
    let actions: [Action; 4] = [
        ("GetSearchCapabilities", &[], &[("SearchCaps", "SearchCapabilities")]),
        ("GetSortCapabilities", &[], &[("SortCaps", "SortCapabilities")]),
        ("GetSystemUpdateID", &[], &[("Id", "SystemUpdateID")]),
        (
            "Browse",
            &[
                ("ObjectID", "A_ARG_TYPE_ObjectID"),
                ("BrowseFlag", "A_ARG_TYPE_BrowseFlag"),
                ("Filter", "A_ARG_TYPE_Filter"),
                ("StartingIndex", "A_ARG_TYPE_Index"),
                ("RequestedCount", "A_ARG_TYPE_Count"),
                ("SortCriteria", "A_ARG_TYPE_SortCriteria"),
            ],
            &[
                ("Result", "A_ARG_TYPE_Result"),
                ("NumberReturned", "A_ARG_TYPE_Count"),
                ("TotalMatches", "A_ARG_TYPE_Count"),
                ("UpdateID", "A_ARG_TYPE_UpdateID"),
            ],
        ),
    ];
    let variables: [Variable; 11] = [
        ("SearchCapabilities", "string", false, &[]),
        ("SortCapabilities", "string", false, &[]),
        ("SystemUpdateID", "ui4", true, &[]),
        ("A_ARG_TYPE_ObjectID", "string", false, &[]),
        ("A_ARG_TYPE_BrowseFlag", "string", false, &["BrowseMetadata", "BrowseDirectChildren"]),
        ("A_ARG_TYPE_Filter", "string", false, &[]),
        ("A_ARG_TYPE_Index", "ui4", false, &[]),
        ("A_ARG_TYPE_Count", "ui4", false, &[]),
        ("A_ARG_TYPE_SortCriteria", "string", false, &[]),
        ("A_ARG_TYPE_Result", "string", false, &[]),
        ("A_ARG_TYPE_UpdateID", "ui4", false, &[]),
    ];
    write(&actions, &variables)
}

/// The service description of `ConnectionManager:1`: the three required actions.
#[must_use]
pub fn connection_manager_scpd() -> Bytes {
    let actions: [Action; 3] = [
        ("GetProtocolInfo", &[], &[("Source", "SourceProtocolInfo"), ("Sink", "SinkProtocolInfo")]),
        ("GetCurrentConnectionIDs", &[], &[("ConnectionIDs", "CurrentConnectionIDs")]),
        (
            "GetCurrentConnectionInfo",
            &[("ConnectionID", "A_ARG_TYPE_ConnectionID")],
            &[
                ("RcsID", "A_ARG_TYPE_RcsID"),
                ("AVTransportID", "A_ARG_TYPE_AVTransportID"),
                ("ProtocolInfo", "A_ARG_TYPE_ProtocolInfo"),
                ("PeerConnectionManager", "A_ARG_TYPE_ConnectionManager"),
                ("PeerConnectionID", "A_ARG_TYPE_ConnectionID"),
                ("Direction", "A_ARG_TYPE_Direction"),
                ("Status", "A_ARG_TYPE_ConnectionStatus"),
            ],
        ),
    ];
    let variables: [Variable; 10] = [
        ("SourceProtocolInfo", "string", true, &[]),
        ("SinkProtocolInfo", "string", true, &[]),
        ("CurrentConnectionIDs", "string", true, &[]),
        (
            "A_ARG_TYPE_ConnectionStatus",
            "string",
            false,
            &[
                "OK",
                "ContentFormatMismatch",
                "InsufficientBandwidth",
                "UnreliableChannel",
                "Unknown",
            ],
        ),
        ("A_ARG_TYPE_ConnectionManager", "string", false, &[]),
        ("A_ARG_TYPE_Direction", "string", false, &["Input", "Output"]),
        ("A_ARG_TYPE_ProtocolInfo", "string", false, &[]),
        ("A_ARG_TYPE_ConnectionID", "i4", false, &[]),
        ("A_ARG_TYPE_AVTransportID", "i4", false, &[]),
        ("A_ARG_TYPE_RcsID", "i4", false, &[]),
    ];
    write(&actions, &variables)
}

fn write(actions: &[Action], variables: &[Variable]) -> Bytes {
    let mut xml = Writer::new("");
    xml.open("scpd", &[("xmlns", "urn:schemas-upnp-org:service-1-0")]);
    xml.open("specVersion", &[]);
    xml.text("major", "1");
    xml.text("minor", "0");
    xml.close("specVersion");
    xml.list("actionList", actions, write_action);
    xml.list("serviceStateTable", variables, write_variable);
    xml.close("scpd");
    Bytes::from(xml.finish())
}

fn write_action((name, inputs, outputs): &Action, xml: &mut Writer<'_>) {
    xml.open("action", &[]);
    xml.text("name", name);
    xml.open("argumentList", &[]);
    for (arguments, direction) in [(inputs, "in"), (outputs, "out")] {
        for (argument, variable) in *arguments {
            xml.open("argument", &[]);
            xml.text("name", argument);
            xml.text("direction", direction);
            xml.text("relatedStateVariable", variable);
            xml.close("argument");
        }
    }
    xml.close("argumentList");
    xml.close("action");
}

fn write_variable((name, data_type, evented, values): &Variable, xml: &mut Writer<'_>) {
    let evented = if *evented { "yes" } else { "no" };
    xml.open("stateVariable", &[("sendEvents", evented)]);
    xml.text("name", name);
    xml.text("dataType", data_type);
    xml.list("allowedValueList", values, |value, xml| {
        xml.text("allowedValue", value);
    });
    xml.close("stateVariable");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_has_its_state_variable() {
        for scpd in [content_directory_scpd(), connection_manager_scpd()] {
            let text = std::str::from_utf8(&scpd).unwrap();
            for related in text.split("<relatedStateVariable>").skip(1) {
                let name = related.split('<').next().unwrap();
                let variable = format!("<name>{name}</name><dataType>");
                assert!(text.contains(&variable), "{name}");
            }
        }
    }
}
