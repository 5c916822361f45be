"""Makes photo files that carry depth, byte by byte, for the tests of what reads them."""

import base64
import hashlib
import io
import struct

import numpy as np
from PIL import Image

GDEPTH = "http://ns.google.com/photos/1.0/depthmap/"
GIMAGE = "http://ns.google.com/photos/1.0/image/"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"


def jpeg(pixels, orientation=None, quality=95) -> bytes:
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()


def photo_pixels(width=120, height=80):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1)


def png(pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return out.getvalue()


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segments(image: bytes, *parts: bytes) -> bytes:
    """Segments put directly behind SOI."""
    return image[:2] + b"".join(parts) + image[2:]


def rdf(attributes: str = "", body: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def extension_segments(packet: bytes, guid: str, chunk=65400, total=None, offsets=None) -> list[bytes]:
    starts = range(0, len(packet), chunk)
    return [
        segment(
            0xE1,
            EXTENSION + guid.encode() + struct.pack(">II", len(packet) if total is None else total, at)
            + packet[start : start + chunk],
        )
        for start, at in zip(starts, offsets or starts, strict=False)
    ]  # fmt: skip


def gdepth_packets(depth: bytes, near, far, form="RangeInverse", units=None, confidence=None, original=None):
    """The main packet, the extension and its GUID of a photo with GDepth."""
    unit = f'GDepth:Units="{units}"' if units else ""
    extended = rdf(
        f'xmlns:GDepth="{GDEPTH}" xmlns:GImage="{GIMAGE}" GDepth:Data="{base64.b64encode(depth).decode()}"'
        + (f' GDepth:Confidence="{base64.b64encode(confidence).decode()}"' if confidence else "")
        + (f' GImage:Data="{base64.b64encode(original).decode()}"' if original else "")
    )
    guid = hashlib.md5(extended).hexdigest().upper()
    main = rdf(
        f'xmlns:GDepth="{GDEPTH}" xmlns:GImage="{GIMAGE}" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
        f'GDepth:Format="{form}" GDepth:Near="{near}" GDepth:Far="{far}" GDepth:Mime="image/png" {unit} '
        f'GImage:Mime="image/jpeg" xmpNote:HasExtendedXMP="{guid}"'
    )
    return main, extended, guid


def gdepth_photo(depth: bytes, near, far, orientation=None, photo=None, chunk=65400, **options) -> bytes:
    main, extended, guid = gdepth_packets(depth, near, far, **options)
    image = jpeg(photo_pixels() if photo is None else photo, orientation)
    return with_segments(image, segment(0xE1, XMP + main), *extension_segments(extended, guid, chunk))


def apple_xmp(low, high, kind="disparity", accuracy="relative", matrix=None, reference=None) -> bytes:
    rows = "".join(f"<rdf:li>{v}</rdf:li>" for v in matrix or ())
    camera = (
        f"<d:IntrinsicMatrix><rdf:Seq>{rows}</rdf:Seq></d:IntrinsicMatrix>"
        f"<d:IntrinsicMatrixReferenceWidth>{reference[0]}</d:IntrinsicMatrixReferenceWidth>"
        f"<d:IntrinsicMatrixReferenceHeight>{reference[1]}</d:IntrinsicMatrixReferenceHeight>"
        if matrix
        else ""
    )
    return rdf(
        'xmlns:d="http://ns.apple.com/depthData/1.0/" xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/"',
        f"<d:Accuracy>{accuracy}</d:Accuracy>{camera}<apdi:AuxiliaryImageType>{kind}</apdi:AuxiliaryImageType>"
        f"<apdi:FloatMinValue>{low}</apdi:FloatMinValue><apdi:FloatMaxValue>{high}</apdi:FloatMaxValue>",
    )


def matte_xmp(subtype="portraiteffectsmatte") -> bytes:
    return rdf(
        'xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/"',
        "<apdi:AuxiliaryImageType>depth</apdi:AuxiliaryImageType>"
        f"<apdi:AuxiliaryImageSubType>{subtype}</apdi:AuxiliaryImageSubType>"
        "<apdi:FloatMinValue>1</apdi:FloatMinValue><apdi:FloatMaxValue>2</apdi:FloatMaxValue>",
    )


def with_mpf(image: bytes, appended: list[bytes], order=">", shift=0, lengths=None) -> bytes:
    """A JPEG with an MPF index of itself and of images appended to it; `shift` and `lengths` let the index lie."""
    count = len(appended) + 1
    payload = b"MPF\0" + {">": b"MM\0*", "<": b"II*\0"}[order] + struct.pack(order + "I", 8)
    payload += struct.pack(order + "H", 3) + struct.pack(order + "HHI4s", 0xB000, 7, 4, b"0100")
    payload += struct.pack(order + "HHII", 0xB001, 4, 1, count)
    payload += struct.pack(order + "HHII", 0xB002, 7, 16 * count, 50) + struct.pack(order + "I", 0)
    size, base = len(image) + 4 + len(payload) + 16 * count, 2 + 4 + 4
    entries, position = [(0x030000, size, 0)], size
    for index, part in enumerate(appended):
        entries.append((0, lengths[index] if lengths else len(part), position - base + shift))
        position += len(part)
    payload += b"".join(struct.pack(order + "IIIHH", *entry, 0, 0) for entry in entries)
    return with_segments(image, segment(0xE2, payload)) + b"".join(appended)


def apple_photo(depth, low, high, photo=None, orientation=None, matte=None, order=">", **options) -> bytes:
    """An Apple JPEG; `depth` and `matte` are uint8 arrays, stored as JPEG as the phone does."""
    appended = [with_segments(jpeg(depth), segment(0xE1, XMP + apple_xmp(low, high, **options)))]
    if matte is not None:
        appended.append(with_segments(jpeg(matte), segment(0xE1, XMP + matte_xmp())))
    return with_mpf(jpeg(photo_pixels() if photo is None else photo, orientation), appended, order)


def dynamic_depth_photo(depth: bytes, near, far, form="RangeLinear", units="Meters", confidence=None, camera="",
                        padding=0, measure="OpticalAxis", length=None, first="", semantic="Depth") -> bytes:  # fmt: skip
    items = (
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="image/jpeg" Item:Length="0" '
        f'Item:Padding="{padding}"/></rdf:li>{first}<rdf:li rdf:parseType="Resource">'
        f'<Container:Item Item:Mime="image/png" Item:Length="{len(depth) if length is None else length}" '
        f'Item:DataURI="android/depthmap"/></rdf:li>'
    )
    if confidence:
        items += (
            f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="image/png" Item:Length="{len(confidence)}" '
            f'Item:DataURI="android/confidencemap"/></rdf:li>'
        )
    uri = "<DepthMap:ConfidenceURI>android/confidencemap</DepthMap:ConfidenceURI>" if confidence else ""
    base = "http://ns.google.com/photos/dd/1.0/"
    names = {"Device": "device", "Container": "container", "Item": "item", "Camera": "camera", "DepthMap": "depthmap",
             "ImagingModel": "imagingmodel", "Image": "image"}  # fmt: skip
    packet = rdf(
        " ".join(f'xmlns:{prefix}="{base}{name}/"' for prefix, name in names.items()),
        f"<Device:Container><Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory></Device:Container>"
        f'<Device:Cameras><rdf:Seq><rdf:li rdf:parseType="Resource"><rdf:value rdf:parseType="Resource">'
        f'<Camera:DepthMap rdf:parseType="Resource"><DepthMap:ItemSemantic>{semantic}</DepthMap:ItemSemantic>'
        f"<DepthMap:Format>{form}</DepthMap:Format><DepthMap:Units>{units}</DepthMap:Units>"
        f"<DepthMap:Near>{near}</DepthMap:Near><DepthMap:Far>{far}</DepthMap:Far>{uri}"
        f"<DepthMap:MeasureType>{measure}</DepthMap:MeasureType>"
        f"<DepthMap:DepthURI>android/depthmap</DepthMap:DepthURI></Camera:DepthMap>{camera}"
        f"</rdf:value></rdf:li></rdf:Seq></Device:Cameras>",
    )
    image = with_segments(jpeg(photo_pixels()), segment(0xE1, XMP + packet))
    return image + bytes(padding) + depth + (confidence or b"")


def imaging_model(width, height, focal, cx, cy) -> str:
    values = {"ImageWidth": width, "ImageHeight": height, "FocalLengthX": focal, "FocalLengthY": focal,
              "PrincipalPointX": cx, "PrincipalPointY": cy}  # fmt: skip
    body = "".join(f"<ImagingModel:{key}>{value}</ImagingModel:{key}>" for key, value in values.items())
    return f'<Camera:ImagingModel rdf:parseType="Resource">{body}</Camera:ImagingModel>'


def samsung_photo(depth, orientation=None, size=None, photo=None) -> bytes:
    """A JPEG with a Samsung trailer: a metadata block, the raw depth and where its size is written."""
    height, width = depth.shape
    width, height = size or (width, height)
    extra = bytes(60) + b"\x03\x00\xff\xff" + struct.pack("<II", width, height) + bytes(40)
    blocks = [(0x0A01, b"Image_UTC_Data", b"1530000000000"), (0x0AB1, b"DualShot_DepthMap_1", depth.tobytes()),
              (0x0AB3, b"DualShot_Extra_Info", extra)]  # fmt: skip
    bodies = [struct.pack("<HHI", 0, kind, len(title)) + title + content for kind, title, content in blocks]
    directory, behind = b"SEFH" + struct.pack("<II", 101, len(blocks)), sum(map(len, bodies))
    for (kind, _, _), body in zip(blocks, bodies, strict=True):
        directory += struct.pack("<HHII", 0, kind, behind, len(body))
        behind -= len(body)
    image = jpeg(photo_pixels() if photo is None else photo, orientation)
    return image + b"".join(bodies) + directory + struct.pack("<I", len(directory)) + b"SEFT"
