"""The page of what each channel says is what the channels say."""

import channel_texts


async def test_the_page_is_up_to_date() -> None:
    assert channel_texts.PAGE.read_text(encoding="utf-8") == await channel_texts.page()
