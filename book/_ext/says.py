"""Which edition Sphinx builds, and the words that the book's extensions put into its pages."""

from genimg.book.zh import words

CHINESE = "zh_CN"  # as Sphinx names the language


def is_chinese(app):
    return app.config.language == CHINESE


def of(app):
    """A function that gives a text in the edition's language; further arguments stand for its {0}, {1}, ..."""
    if not is_chinese(app):
        return words.filled
    if not hasattr(app, "book_words"):
        app.book_words = words.load()
    return app.book_words
