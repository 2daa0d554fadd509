"""The byte tokenizer as a tokenizer of transformers: ids 0 to 255 are the bytes of UTF-8, 256 ends a document."""

from typing import Any

END_OF_DOCUMENT = 256
END_TEXT = "<|end|>"
BYTE_VOCABULARY = 257


def byte_tokenizer() -> Any:
    """A tokenizer whose ids are the UTF-8 bytes; `<|end|>` is 256. It adds no special token to a text.

    >>> byte_tokenizer().encode("é!")
    [195, 169, 33]
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    # A BPE without merges over the 256 characters of byte-level BPE; each character's id is the byte it stands for.
    vocabulary = {character: byte for byte, character in bytes_to_unicode().items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END_TEXT, special=True, normalized=False)])
    if tokenizer.token_to_id(END_TEXT) != END_OF_DOCUMENT:
        raise AssertionError(f"{END_TEXT} is not token {END_OF_DOCUMENT}")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END_TEXT, clean_up_tokenization_spaces=False, model_max_length=10**9
    )
