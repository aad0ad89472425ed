"""The course as a site: Sphinx reads its pages as they are. `make site` builds it, `make site-open` serves it."""
