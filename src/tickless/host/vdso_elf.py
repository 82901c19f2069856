"""What an ELF image of the vDSO says about its functions: elf(5), vdso(7)."""

import ctypes
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

SHT_DYNSYM = 11
STT_FUNC = 2
PT_GNU_EH_FRAME = 0x6474E550
# Version 1, FDE count as udata4, table of sdata4 relative to its header: what linkers write.
EH_FRAME_HDR = b"\x01\x1b\x03\x3b"

_ELF64_OFFSETS = Struct("<32xQQ6xHHHH")  # e_phoff e_shoff … e_phentsize e_phnum e_shentsize e_shnum
_SECTION = Struct("<4xI16xQQI20x")  # sh_type sh_offset sh_size sh_link
_SECTION_OFFSET = Struct("<24xQ")
_SYMBOL = Struct("<IBxHQQ")  # st_name st_info st_shndx st_value st_size
_SEGMENT = Struct("<I12xQ")  # p_type p_vaddr
_TABLE_ENTRY = Struct("<ii")
_FDE = Struct("<I4xiIB")  # length, pc_begin relative to itself, pc_range, size of the augmentation


class Function(NamedTuple):
    """A function in the image: offset of its first byte, and its size."""

    offset: int
    size: int


class FrameDescription(NamedTuple):
    """How to unwind the code at `first` .. `last` - 1: the instructions at `start` .. `end` - 1 of the image."""

    first: int
    last: int
    start: int
    end: int


def own_vdso() -> bytes | None:
    """The vDSO that the kernel maps into every process of this architecture. None if it was told not to (vdso=0)."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            if line.endswith("[vdso]\n"):
                start, end = (int(address, 16) for address in line.split()[0].split("-"))
                return ctypes.string_at(start, end - start)
    return None


def functions(image: bytes) -> dict[str, Function]:
    """The functions that the image exports, by name."""
    _, sections, _, _, section_size, count = _ELF64_OFFSETS.unpack_from(image)
    found = {}
    for at in range(sections, sections + count * section_size, section_size):
        kind, offset, size, link = _SECTION.unpack_from(image, at)
        if kind != SHT_DYNSYM:
            continue
        (strings,) = _SECTION_OFFSET.unpack_from(image, sections + link * section_size)
        for name, info, section, value, length in _SYMBOL.iter_unpack(image[offset : offset + size]):
            if info & 15 == STT_FUNC and section:
                end = image.index(0, strings + name)
                found[image[strings + name : end].decode()] = Function(value, length)
    return found


def frame_descriptions(image: bytes) -> Iterator[FrameDescription]:
    """The frame descriptions that .eh_frame_hdr lists; none where it has a form that we do not know."""
    segments, _, segment_size, count, _, _ = _ELF64_OFFSETS.unpack_from(image)
    for at in range(segments, segments + count * segment_size, segment_size):
        kind, header = _SEGMENT.unpack_from(image, at)
        if kind == PT_GNU_EH_FRAME and image[header : header + 4] == EH_FRAME_HDR:
            yield from _listed_frames(image, header)


def _listed_frames(image: bytes, header: int) -> Iterator[FrameDescription]:
    total = int.from_bytes(image[header + 8 : header + 12], "little")
    table = image[header + 12 : header + 12 + total * _TABLE_ENTRY.size]
    for pc, fde in _TABLE_ENTRY.iter_unpack(table):
        length, _, span, augmentation = _FDE.unpack_from(image, header + fde)
        start = header + fde + _FDE.size + augmentation
        yield FrameDescription(header + pc, header + pc + span, start, header + fde + 4 + length)
