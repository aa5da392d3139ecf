//! Several servers behind one: each URL is followed to its own, each host has its certificate.

use jellynet_test::netns::Namespace;
use jellynet_test::peer;

use super::{WITH_ADMIN, doctor, expect, finds};
use crate::cert::issue;
use crate::rig::{Folder, MediaServer, Network, SOON, Server};
use crate::sites::{FILMS, MUSIC};

fn both(on: &Namespace) {
    MediaServer::start_as(on, "127.0.0.1:8097", FILMS, "Films");
    MediaServer::start_as(on, "127.0.0.1:8098", MUSIC, "Music");
}

#[test]
fn the_url_of_each_server_is_followed_to_that_server() {
    let Some(net) = Network::new() else { return };
    both(&net.server);
    // The second is published where the first is.
    let config = format!(
        "{WITH_ADMIN}[[upstream]]\nurl = 'http://127.0.0.1:8097'\nbase_url = '/films'\n\
         [[upstream]]\nurl = 'http://127.0.0.1:8098'\nhosts = ['10.77.2.1']\nbase_url = '/music'\n\
         [published]\nurls = ['external=http://10.77.1.1:8096/films', \
         'external=http://10.77.2.1:8096/music']\n"
    );
    let server = Server::start(&net.server, &config);
    for id in [FILMS, MUSIC] {
        server.process.wait_for_line(id, SOON);
    }
    let (_, found) = doctor(&net.server, &server);
    expect(
        &found,
        &[
            ("published", "good", &format!("/films leads here: it has our id {FILMS} (films)")),
            ("published", "good", &format!("/music leads here: it has our id {MUSIC} (music)")),
            (
                "interfaces",
                "good",
                "10.77.1.0/24: peers are told http://10.77.1.1:8096/films and \
                 http://10.77.2.1:8096/music",
            ),
        ],
    );
    // Behind the address of the second now is the first.
    net.server.ip("address del 10.77.2.1/24 dev eth1");
    let elsewhere = Server::start(
        &net.two,
        "[http]\nlisten = ['*:8096']\n[base_url]\npath = '/music'\n[discovery]\nenabled = false\n",
    );
    net.server.address("eth1", "10.77.2.9/24");
    net.two.address("eth0", "10.77.2.1/24");
    let (code, found) = doctor(&net.server, &server);
    assert!(finds(&found, "published", "problem", "http://10.77.2.1:8096/music"), "{found:#}");
    assert!(finds(&found, "published", "good", "/films leads here"), "{found:#}");
    assert_eq!(code, 3);
    drop(elsewhere);
}

#[test]
fn a_server_that_sends_everybody_to_https_is_known_by_its_id_all_the_same() {
    let Some(net) = Network::new() else { return };
    both(&net.server);
    let config = format!(
        "{WITH_ADMIN}[https]\nlisten = ['*:8920']\n[[upstream]]\nurl = 'http://127.0.0.1:8097'\n\
         hosts = ['10.77.1.1']\nhttps_redirect = true\n[published]\n\
         urls = ['https://10.77.1.1:8920']\n"
    );
    let server = Server::start(&net.server, &config);
    server.process.wait_for_line(FILMS, SOON);
    let (_, found) = doctor(&net.server, &server);
    let leads = format!("https://10.77.1.1:8920 leads here: it has our id {FILMS}");
    assert!(finds(&found, "published", "good", &leads), "{found:#}");
}

#[test]
fn each_host_is_compared_with_the_certificates() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    if peer::find_with("openssl", &["version"]).is_none() {
        return;
    }
    both(&host);
    let folder = Folder::new();
    issue(folder.path(), "tv", "DNS:films.lan,DNS:*.music.lan");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let config = |music: &str| {
        format!(
            "{WITH_ADMIN}[[identity]]\ncertificate = '{}'\nkey = '{}'\n\
             [[upstream]]\nurl = 'http://127.0.0.1:8097'\nhosts = ['films.lan']\n\
             [[upstream]]\nurl = 'http://127.0.0.1:8098'\n{music}\n",
            file("tv.pem"),
            file("tv.key")
        )
    };
    for (music, verdict, part) in [
        ("hosts = ['a.music.lan', '*.music.lan']", "good", "each host of the upstreams is named"),
        ("hosts = ['music.lan', 'a.b.music.lan']", "note", "names music.lan, a.b.music.lan:"),
        ("hosts = ['*.lan']\nhttps_redirect = true", "problem", "no certificate names *.lan:"),
    ] {
        let server = Server::start(&host, &config(music));
        let (_, found) = doctor(&host, &server);
        assert!(finds(&found, "certificates", verdict, part), "{music}: {found:#}");
    }
}

#[test]
fn a_proxy_that_cuts_the_base_path_off_unsaid_is_a_problem() {
    let (Some(program), Some(net)) = (peer::find_with("nginx", &["-v"]), Network::new()) else {
        return;
    };
    let host = &net.server;
    MediaServer::start(host, "127.0.0.1:8097");
    let folder = Folder::new();
    let path = folder.path().display();
    let place = |port: u16, more: &str| {
        format!(
            "server {{ listen {port}; location /tv/ {{ {more} \
             proxy_set_header Host $http_host; }} }}\n"
        )
    };
    let cuts = "proxy_pass http://127.0.0.1:8096/;";
    let config = format!(
        "daemon off; master_process off; error_log stderr; events {{}} pid {path}/pid;\n\
         http {{ access_log off; client_body_temp_path {path}/b; proxy_temp_path {path}/p;\n\
         fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;\n{}{}{} }}\n",
        place(81, cuts),
        place(82, &format!("{cuts} proxy_set_header X-Forwarded-Prefix /tv;")),
        place(83, "proxy_pass http://127.0.0.1:8096;"),
    );
    let file = folder.write("nginx.conf", &config);
    let mut command = program.command();
    command.arg("-p").arg(folder.path()).arg("-c").arg(file).args(["-e", "stderr"]);
    let _nginx = host.spawn(command);
    let urls = [81, 82, 83].map(|port| format!("http://10.77.1.1:{port}/tv"));
    for (url, cut) in urls.iter().zip([true, false, false]) {
        let config = format!(
            "{WITH_ADMIN}[base_url]\npath = '/tv'\n[[upstream]]\nurl = 'http://127.0.0.1:8097'\n\
             [published]\nurls = ['all={url}']\n"
        );
        let server = Server::start(host, &config);
        server.process.wait_for_line("Living Room", SOON);
        let (_, found) = doctor(host, &server);
        let leads = format!("{url} leads here");
        assert!(finds(&found, "published", "good", &leads), "{url}: {found:#}");
        let part = format!("{url} is behind a proxy that cuts /tv off");
        assert_eq!(finds(&found, "published", "problem", &part), cut, "{url}: {found:#}");
    }
}
