//! Files at Graph: uploaded, looked up, downloaded, deleted; and those that a customer sent.

use vestibule::graph::client::media::{MediaError, MediaInfo};
use vestibule_tests::{Kind, TestDatabase};

use super::street::{Street, WAIT};

const FILE: &[u8] = b"\xff\xd8 a plan of the house";

async fn download(street: &Street, info: &MediaInfo) -> Result<Vec<u8>, MediaError> {
    let (graph, token, _) = street.graph();
    let mut download = graph.download_media(&token, info, 1 << 20, WAIT).await?;
    let mut file = Vec::new();
    while let Some(chunk) = download.chunk().await? {
        file.extend_from_slice(&chunk);
    }
    Ok(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_back_as_it_went_up_until_it_is_deleted() {
    let database = TestDatabase::fresh(Kind::Sqlite).await.expect("SQLite");
    let street = Street::open(&database, &[]).await;
    let (graph, token, number) = street.graph();
    let id = street.upload("image/jpeg", FILE).await.expect("uploaded");
    let info = graph.media(&token, &number, &id, WAIT).await;
    let info = info.expect("found");
    assert_eq!(info.mime_type, "image/jpeg");
    assert_eq!(download(&street, &info).await.expect("the file"), FILE);
    let mistaken = MediaInfo {
        size: None,
        sha256: Some("0".repeat(64)),
        ..info.clone()
    };
    let refused = download(&street, &mistaken).await;
    assert!(
        matches!(refused, Err(MediaError::WrongDigest)),
        "{refused:?}"
    );
    let deleted = graph.delete_media(&token, &number, &id, WAIT).await;
    deleted.expect("deleted");
    let again = graph.media(&token, &number, &id, WAIT).await;
    assert!(matches!(again, Err(MediaError::Refused(_))), "{again:?}");
    let gone = download(&street, &info).await;
    assert!(matches!(gone, Err(MediaError::Gone)), "{gone:?}");
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_whatsapp_refuses_is_refused_with_its_code() {
    let database = TestDatabase::fresh(Kind::Sqlite).await.expect("SQLite");
    let street = Street::open(&database, &[]).await;
    let empty = street.upload("image/jpeg", b"").await;
    let Err(MediaError::Refused(refused)) = empty else {
        panic!("{empty:?}");
    };
    assert_eq!(refused.error.code, Some(131_053));
    street.close().await;
}
