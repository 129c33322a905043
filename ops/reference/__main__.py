"""`python -m ops.reference`: write all of it."""

from ops.reference import schemas


def main() -> None:
    schemas.FOLDER.mkdir(exist_ok=True)
    for path, text in schemas.files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
