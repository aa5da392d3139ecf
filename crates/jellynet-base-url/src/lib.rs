//! Is this path under the prefix, and if not, where does it go?
//!
//! A server under a path prefix (`https://tv.lan/jellyfin`): normalised, redirected, and nothing
//! broken by it.
//!
//! # The rule
//!
//! With the base path `/jellyfin`, the default path `web/` and the earlier base path `/old`. The
//! first line that fits counts; of base path and earlier ones the longest that fits.
//!
//! | # | the path is | a browser's `GET`, `HEAD` | all else: `POST`, upgrades, programs |
//! | --- | --- | --- | --- |
//! | 1 | the base path: `/jellyfin`, `/jellyfin/` | redirect to `/jellyfin/web/` | pass as `/` |
//! | 2 | below it: `/jellyfin/x`, `/JELLYFIN/x` | pass as `/x` | pass as `/x` |
//! | 3 | below an earlier one, to an in-place path: `/old/health` | pass as `/health` | pass as `/health` |
//! | 4 | below an earlier one: `/old/x` | redirect to `/jellyfin/x` | pass as `/x` |
//! | 5 | an in-place path: `/health`, `/System/Info/Public`, `/dlna/…` | pass as it is | pass as it is |
//! | 6 | a near miss: `/jellyfinx`; with dot segments: `/..%2fx` | not found | not found |
//! | 7 | anything else: `/`, `/other` | redirect to `/jellyfin/web/` | not found |
//!
//! * Prefixes are whole segments, compared decoded and without regard to ASCII letter case. What
//!   follows is passed on raw: nothing is decoded twice.
//! * A path whose `..` could climb out of the prefix, however it is written, is not under it. Above
//!   the root there is nothing to climb out of: without a base path it is passed on as it is.
//! * A redirect is a 302 with the query kept, and **relative**: a proxy that cuts a prefix off in
//!   front of us changes nothing. It names no host and never begins with `//`. (For a path with dot
//!   segments, about which clients disagree, it is path-absolute.)
//! * A request with a body, an upgrade, or one from a program that asks for data
//!   ([`RequestClass::of`]) is never redirected: old base paths serve it in place, so clients that
//!   follow no redirect keep working.
//! * A base URL that was added has the root as its predecessor (`previous = ["/"]`); one that was
//!   removed has itself.
//!
//! # Example
//!
//! ```
//! use jellynet_base_url::{RequestClass, Route, Router};
//!
//! let router = Router::new("/jellyfin".parse()?).with_previous(["/old".parse()?]);
//!
//! let route = router.route(RequestClass::Other, "/Jellyfin/Items?limit=1");
//! assert_eq!(route, Route::Pass { inner: "/Items?limit=1".into() });
//!
//! let Route::Redirect { location, .. } = router.route(RequestClass::Navigation, "/old/a/b?c")
//! else {
//!     panic!("an earlier base URL redirects");
//! };
//! assert_eq!(location, "../../jellyfin/a/b?c");
//! # Ok::<(), jellynet_base_url::ParseBasePathError>(())
//! ```
//!
//! # Features
//!
//! * `tower` (default): [`BaseUrlLayer`] and [`RequestClass::of`], on `http`. Without it the crate
//!   has no dependency but `thiserror`.
//!
//! # What this crate does not do
//!
//! * It rewrites no HTML, script or JSON: an application that writes absolute paths into its pages
//!   has to know its base path.
//! * It guards nothing: a base path is an address, not a secret.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod base_path;
mod claim;
#[cfg(feature = "tower")]
mod layer;
mod map;
mod paths;
mod percent;
mod relative;
mod route;

pub use crate::base_path::{BasePath, ParseBasePathError};
pub use crate::claim::Claim;
#[cfg(feature = "tower")]
pub use crate::layer::{BaseUrl, BaseUrlAnswer, BaseUrlLayer, OriginalTarget, ResponseFuture};
pub use crate::map::PathMap;
pub use crate::paths::{DefaultPath, InPlacePath};
pub use crate::route::{RequestClass, Route, Router};

#[cfg(all(doctest, feature = "tower"))]
#[doc = include_str!("../README.md")]
struct Readme;
