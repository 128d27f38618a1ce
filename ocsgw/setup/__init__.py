"""The first steps of an installation: what `ocsgw init` writes, and where the files that come with ocsgw are."""
