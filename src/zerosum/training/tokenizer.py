"""The byte tokenizer as a tokenizer of transformers, saved in every checkpoint folder."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from zerosum.training.text import END_OF_DOCUMENT

END_TEXT = "<|end|>"


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer whose ids are the UTF-8 bytes; `<|end|>` is 256. It adds no special token to a text.

    >>> byte_tokenizer().encode("é!")
    [195, 169, 33]
    """
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
