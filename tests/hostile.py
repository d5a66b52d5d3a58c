"""
Hostile and merely unusual file names, and the one thing that may become of each.

The letters of an id tell the family: T traversal, P path or URL, N control characters, B bidi
and invisible, H look-alikes and normalisation, W Windows, D dots and dashes, S markup and
shells, L length and bytes, G good names from everywhere, X games in Content-Disposition.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from urllib.parse import quote


class Outcome(StrEnum):
    REFUSED = "R"
    KEPT = "A"
    MENDED = "S"
    EMPTY = "E"


@dataclass(frozen=True, slots=True)
class NameCase:
    """`stored` is None exactly if nothing may be stored."""

    id: str
    raw: bytes
    outcome: Outcome
    stored: str | None

    def as_path_segment(self) -> str:
        """
        Return `raw` for a URL; every name can be sent so, with two things to know.

        The empty name makes the URL that of the collection, and a client that tidies URLs
        removes the segments of dots even when they are encoded: use a plain socket for those.
        """
        return (
            "".join(f"%{byte:02X}" for byte in self.raw) if self.only_dots else quote(self.raw, "")
        )

    @property
    def only_dots(self) -> bool:
        return self.raw in {b".", b".."}

    def as_form_data(self, field: str = "file") -> bytes:
        r"""
        Return a part's Content-Disposition with `raw` in quotes, `"` and `\` escaped.

        With a NUL, CR or LF in `raw` the result is no valid header: it is refused all the same.
        """
        escaped = self.raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        return b'form-data; name="%b"; filename="%b"' % (field.encode(), escaped)


@dataclass(frozen=True, slots=True)
class DispositionCase:
    """
    A part's Content-Disposition for a field called `file`, and what becomes of it.

    Attributes:
        filename: as the parser must hand it on; None if it must refuse the form, or if the part
            is a text field. A refused case with a file name is refused for that name.
        stored: the name in the end; None if there is no file.
    """

    id: str
    value: bytes
    outcome: Outcome
    filename: bytes | None = None
    stored: str | None = None


_REFUSED: dict[str, str | bytes] = {
    "T1": "../etc/passwd",
    "T2": r"..\..\win.ini",
    "T3": "..%2f..%2fetc",
    "T4": "%2e%2e%2f",
    "T5": "%2e%2e/x",
    "T6": "%252e%252e%255c",
    "T7": "..%5c..%5cx",
    "T8": "..%5C..%5Cx",
    "T9": "..;/x",
    "T10": "..%c0%af",
    "T11": "%c0%ae%c0%ae%c0%af",
    "T12": b"..\xe0\x80\xafx",
    "T13": b"..\xf0\x80\x80\xafx",
    "T14": b"..\xc0\xafx",
    "T15": "..\uff0fx",
    "T16": "..\uff3cx",
    "T17": "..\ufe68x",
    "T18": "\u2024\u2024/x",
    "T19": "&#46;&#46;&#47;x",
    "T20": "&#x2e;&#x2E;&#x2f;x",
    "T21": "a/../b",
    "T22": "a/./b",
    "T23": "./a",
    "T24": "x/..",
    "T25": "%u002e%u002e/",
    "T26": "%u2215..%u002f",
    "T27": "..%252fx",
    "T28": "..%25252fx",
    "T29": "..%%32%66x",
    "T30": "..%2%66x",
    "T31": "%2e%2e",
    "T32": ".%2e",
    "T33": "%2E.",
    "T34": "%2e",
    "T35": "&period;&period;",
    "T36": "a&sol;b",
    "T37": "a&bsol;b",
    "T38": "a&#47b",
    "T39": "a&#0000047;b",
    "T40": "a&#x0000000000000000000000000000002F;b",
    "T41": "a&amp;#47;b",
    "T42": "a&amp#47;b",
    "T43": "a&ampsol;b",
    "T44": "a&#38;#47;b",
    "T45": "a%26%2347%3bb",
    "T46": "a&#37;2fb",
    "T47": "a&percnt;2fb",
    "T48": "a&#x2f%41b",
    "T49": "a\uff052fb",
    "T50": "a%uff0fb",
    "T51": "a%EF%BC%8Fb",
    "T52": "a%e2%84%80b",
    "T53": "a\u2100b",
    "T54": "a\u2101b",
    "T55": "a\u2105b",
    "T56": "a\u2106b",
    "T57": "....//x",
    "T58": r"....\\x",
    "T59": ".\u200b.",
    "T60": "%2\u200bf",
    "T61": ".%E2%80%8B.",
    "T62": "..\u200b/x",
    "T63": "\u2024\u2024",
    "T64": "\u2025",
    "T65": "\uff0e\uff0e",
    "T66": "..%e0%80%afx",
    "T67": "..%f0%80%80%afx",
    "T68": "..%f8%80%80%80%afx",
    "T69": "..%fc%80%80%80%80%afx",
    "T70": "..%c1%9cx",
    "T71": b"..\xf8\x80\x80\x80\xafx",
    "T72": b"\xc0\xae\xc0\xae",
    "T73": "/..",
    "T74": "../",
    "T75": "..%2f",
    "T76": "a%5cb",
    "T77": "a%u005cb",
    "T78": "a%U002f/b",
    "T79": ".. /x",
    "T80": "..%20",
    "T81": ".%20.",
    "T82": "folder/file.txt",
    "T83": "a/",
    "T84": r"a\x2fb",
    "T85": r"a\u002fb",
    "T86": "&#92;&#92;srv",
    "T87": "&#x5c;",
    "T88": "a%C0%80b",
    "P1": "/etc/passwd",
    "P2": r"C:\Windows\win.ini",
    "P4": "c:/x",
    "P5": r"\\srv\share\f",
    "P6": "//srv/s/f",
    "P7": "\\\\?\\C:\\x",
    "P8": r"\\.\COM1",
    "P9": "file:///etc/passwd",
    "P10": "http://x/a.pdf",
    "P11": "/",
    "P12": "\\",
    "P13": "/dev/null",
    "P14": "~/.ssh/id_rsa",
    "P15": "~root/.bashrc",
    "P16": r"..\\",
    "P17": "https:\\\\x\\a",
    "P18": "data:text/html,x",
    "P19": "/proc/self/environ",
    "P20": r"\??\C:\x",
    "P21": r"C:\fakepath\report.pdf",
    "P22": "%2fetc%2fpasswd",
    "P23": "C%3a%5cx",
    "P24": "smb://srv/x",
    "P25": "a:b/c",
    "P26": "jar:file:/x!/y",
    "N1": "a\0.txt",
    "N3": "a%00.txt",
    "N4": "\0",
    "N5": "shell.php\0.jpg",
    "N6": "a\r\nX-Evil: 1",
    "N7": "a%0d%0aSet-Cookie: x",
    "N8": "a\nb",
    "N9": "\x1b[31mred",
    "N10": "a\x7fb",
    "N11": "a\tb",
    "N14": "a\u0085b",
    "N15": b"a\x9bb",
    "N16": "a\x0bb",
    "N17": "a%2500b",
    "N18": "a&#0;b",
    "N19": "a&#x00;b",
    "N20": "a&#10;b",
    "N21": "a&NewLine;b",
    "N22": "a&Tab;b",
    "N23": "a%u0000b",
    "N24": "a%u000ab",
    "N25": "a%1b[31mb",
    "N26": "a%7fb",
    "N27": "a%C2%85b",
    "N28": "a%C2%9bb",
    "N29": "a%09b",
    "N30": "a&#1;b",
    "N31": "a&#127;b",
    "N32": "a%c0%80b",
    "B13": "\u200b",
    "B14": "\u202e\u202c",
    "B16": "\u00a0",
    "B17": "\u3000\u2003",
    "B19": "\u115f\u1160",
    "B21": "\ufe0f",
    "B25": "\U000e0041\U000e0042",
    "B28": "\uffa0",
    "B29": "\u200b . \u200b",
    "D3": ".",
    "D4": "..",
    "D5": "...",
    "D6": "   ",
    "D17": ". .",
    "D20": " ..",
    "D21": ".. ",
    "D22": "\u00a0.",
    "S9": "=cmd|'/c'!A1",
    "S23": "</script>",
    "S24": "<a href=/x>",
    "S25": "${jndi:ldap://x/a}",
    "S26": "x;cat /etc/passwd",
    "S27": "//comment",
    "S28": "\\'; DROP TABLE files",
    "S29": "{{7/7}}",
    "L10": b"caf\xe9.txt",
    "L11": b"\xff\xfe\x00a",
    "L12": b"\xc3\xfb\xb3\xc6.txt",
    "L13": b"a\xed\xa0\x80b",
    "L14": b"a\xed\xa0\xbd\xed\xb8\x80b",
    "L15": b"a\x80b",
    "L16": b"a\xc3",
    "L17": b"\xf4\x90\x80\x80",
    "L18": b"\xff",
    "L19": b"\xfe",
    "L20": b"\x83e\x83X\x83g.txt",
    "L21": "a" * 300 + "%2f.txt",
    "L22": "a" * 247 + "&#470000.txt",
}

_KEPT: dict[str, str] = {
    "B9": "\U0001f469\u200d\U0001f4bb.png",
    "B10": "\u0645\u06cc\u200c\u0631\u0648\u062f.txt",
    "B30": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466.png",
    "B31": "\u2764\ufe0f\u200d\U0001f525.png",
    "B32": "\U0001f3f3\ufe0f\u200d\U0001f308.svg",
    "B33": "\U0001f3f4\u200d\u2620\ufe0f.txt",
    "B34": "\U0001f441\ufe0f\u200d\U0001f5e8\ufe0f.txt",
    "B35": "\U0001f9d1\U0001f3fd\u200d\U0001f680.txt",
    "B36": "\U0001f642\u200d\u2194\ufe0f.txt",
    "B37": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f.png",
    "B38": "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f.png",
    "B39": "1\ufe0f\u20e3.txt",
    "B40": "\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0dbd\u0d82\u0d9a\u0dcf.txt",
    "B41": "\u0915\u094d\u200d\u0937.txt",
    "B42": "\u0915\u094d\u200c\u0937.txt",
    "B43": "\u09b0\u200d\u09cd\u09af\u09be\u09ac.txt",
    "B44": "\u0d28\u0d4d\u200d.txt",
    "B45": "\u845b\U000e0100\u57ce.pdf",
    "B46": "\u182e\u180b\u1823\u1829.txt",
    "B47": "\u182e\u180e\u1820.txt",
    "B48": "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627\u06cc \u0645\u0646.pdf",
    "H1": "p\u0430ypal.pdf",
    "H2": "caf\u00e9.txt",
    "H4": "\ufb01le.txt",
    "H5": "SS.TXT",
    "H6": "\u00df.TXT",
    "H7": "\u0130.txt",
    "H8": "\u0131.txt",
    "H10": "\u540d\u524d.pdf",
    "H11": "\ud55c\uae00.txt",
    "H13": "\U0001f600.png",
    "H16": "\uff46\uff49\uff4c\uff45.txt",
    "H17": "\u2460\u2461.txt",
    "H18": "\u00bd cup.txt",
    "H19": "\u226e.txt",
    "H20": "x\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307.txt",
    "H21": "\u0391\u0392\u0395.txt",
    "H22": "\ufdfa.txt",
    "H23": "\u33a7 \u33cf.txt",
    "H24": "a\u2026b.txt",
    "H25": "wait\u2026",
    "H26": "a\uff1ab\uff1f.txt",
    "H27": "\uff5e\u6848.docx",
    "H28": "\u2013dash.txt",
    "H29": "\ufffd.txt",
    "H30": "\ue000\uf8ff.txt",
    "H31": "\U0001d4d0.txt",
    "H32": "\u30ce\u4e3f.txt",
    "W22": "PROGRA~1",
    "W23": "CONSOLE.txt",
    "W24": "COM10.txt",
    "W25": "my CON.txt",
    "W26": "_CON",
    "W27": "a.con",
    "W28": "NULL",
    "W29": "LPT.txt",
    "W30": "AUXILIARY.log",
    "W31": "CON-1.txt",
    "W32": "con\u00e9.txt",
    "D16": "a..b",
    "D18": "web.config",
    "D23": "desktop.ini",
    "D24": "Thumbs.db",
    "D19": "robots.txt",
    "D25": "favicon.ico",
    "D26": "crossdomain.xml",
    "D27": "a",
    "D28": "_",
    "D29": "0",
    "D30": "__init__.py",
    "D31": "a~",
    "D32": "a-",
    "D33": "index.html",
    "D34": "None",
    "D35": "null",
    "D36": "undefined",
    "D37": "a.tar.gz",
    "D38": "no extension at all",
    "S3": "'-alert(1)-'",
    "S6": "{% debug %}",
    "S10": "=1+1.csv",
    "S11": "@SUM(A1).csv",
    "S12": "a;rm -rf ~.txt",
    "S13": "$(id).txt",
    "S14": "`id`.txt",
    "S15": "a&b",
    "S16": "a b.txt",
    "S17": "a  b.txt",
    "S18": "a+b",
    "S20": "a#b",
    "S30": "R&D.pdf",
    "S31": "AT&T &lt;3.txt",
    "S32": "&amp;.txt",
    "S33": "100%.pdf",
    "S34": "100%25.pdf",
    "S35": "a%20b.txt",
    "S36": "caf%e9.txt",
    "S37": "caf%C3%A9.txt",
    "S38": "%93quoted%94.txt",
    "S39": "a&#150;b.html",
    "S40": "a&nbsp;b.txt",
    "S41": "&notanentity;.txt",
    "S42": "a%2.txt",
    "S43": "a%zz.txt",
    "S44": "a%u00.txt",
    "S45": "{{7+7}}",
    "S46": "#{7+7}.txt",
    "S47": "a'b.txt",
    "S48": "' OR 1=1 --.sql",
    "S49": "!important.txt",
    "S50": "a,b;c=d.csv",
    "S51": "[1] (2) {3}.txt",
    "S52": "a^b`c.txt",
    "S53": "+1+1.csv",
    "S54": "%s%n%d.txt",
    "S55": "{0.__class__}.txt",
    "S56": "a%uD83D%uDE00b.txt",
    "S57": "a&#xD800;b.txt",
    "S58": "a&#99999999999;b.txt",
    "S59": "&#" + "9" * 200,
    "S60": "%25252525252f.txt",
    "S61": "&me&sol.txt",
    "L1": "a" * 255,
    "L3": "\u00e9" * 127,
    "L5": "\u540d" * 85,
    "L23": "a.sqlite-journal",
    "L24": "x" * 222 + "." + "y" * 32,
    "G1": "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0e17\u0e35\u0e48\u0e19\u0e35\u0e48.txt",
    "G2": "\u0939\u093f\u0928\u094d\u0926\u0940.txt",
    "G3": "\u0440\u0443\u0441\u0441\u043a\u0438\u0439.docx",
    "G4": "\u0627\u0644\u0639\u0631\u0628\u064a\u0629.pdf",
    "G5": "\u05e2\u05d1\u05e8\u05d9\u05ea.pdf",
    "G6": "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd.txt",
    "G7": "\u4e2d\u6587\u6587\u4ef6 (\u526f\u672c).docx",
    "G8": "\u30d5\u30a1\u30a4\u30eb\u3000\u540d.txt",
    "G9": "Ti\u1ebfng Vi\u1ec7t.txt",
    "G10": "\u00cdslenska \u00fe\u00e6\u00f0.txt",
    "G11": "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac.txt",
    "G12": "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8.txt",
    "G13": "\u1019\u103c\u1014\u103a\u1019\u102c.txt",
    "G14": "\u0f56\u0f7c\u0f51\u0f0b\u0f66\u0f90\u0f51\u0f0b.txt",
    "G15": "\u1781\u17d2\u1798\u17c2\u179a.txt",
    "G16": "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd.txt",
    "G17": "\U00020000\U0002a6df.txt",
    "G18": "Na\u00efve r\u00e9sum\u00e9 \u2013 \u201cfinal\u201d v2.pdf",
    "G19": "IMG_20261121_093000.jpg",
    "G20": "Quarterly report (final) [v2], approved.xlsx",
    "G21": "\U0001f1e9\U0001f1ea flag.png",
    "G22": "\U00010348\U0001f0a1.txt",
    "G23": "\U00013430\U00013000.txt",
    "G24": "\u0600\u0661.txt",
    "G25": "\U0001f44d\U0001f3fd.png",
    "G26": "\u12a0\u121b\u122d\u129b.txt",
    "G27": "\u13e3\u13b3\u13a9.txt",
    "G28": "\U0001e900\U0001e922.txt",
}

_MENDED: dict[str, tuple[str, str]] = {
    "P3": ("C:a.txt", "C_a.txt"),
    "P27": ("C:", "C_"),
    "P28": ("mailto:a@b.example", "mailto_a@b.example"),
    "N12": ("a\u2028b", "ab"),
    "N13": ("a\u2029b", "ab"),
    "B1": ("inv\u202egpj.exe", "invgpj.exe"),
    "B2": ("\u202dabc\u202c.txt", "abc.txt"),
    "B3": ("a\u2066b\u2069.txt", "ab.txt"),
    "B4": ("a\u200eb\u200f.txt", "ab.txt"),
    "B5": ("a\u061cb.txt", "ab.txt"),
    "B6": ("a\u200bb.txt", "ab.txt"),
    "B7": ("\ufeffa.txt", "a.txt"),
    "B8": ("a\u200db.txt", "ab.txt"),
    "B11": ("a\u200cb.txt", "ab.txt"),
    "B12": ("a" + "\ufe0f" * 200 + ".txt", "a\ufe0f.txt"),
    "B49": ("a\u0300\ufe0fb.txt", "\u00e0b.txt"),
    "B50": ("\u0661\u200c\u0662.txt", "\u0661\u0662.txt"),
    "B51": ("\u0645\u06cc\u200c.txt", "\u0645\u06cc.txt"),
    "B52": ("\u0645\u200c\u200c\u06cc.txt", "\u0645\u200c\u06cc.txt"),
    "B53": ("\U0001f469\u200d\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
    "B54": ("\U0001f469\u200d.png", "\U0001f469.png"),
    "B55": ("\U0001f469\u200da.png", "\U0001f469a.png"),
    "B56": ("a\U000e0068\U000e0069b", "ab"),
    "B57": ("\U0001f3f4\U000e0067\U000e0062x", "\U0001f3f4x"),
    "B58": (
        "\U0001f3f4\U000e0075\U000e0073\U000e0063\U000e0061\U000e007f.png",
        "\U0001f3f4.png",
    ),
    "B59": (
        "".join(f"a{chr(0xE0100 + n)}{chr(0xE0110 + n)}" for n in range(3)),
        "a\U000e0100a\U000e0101a\U000e0102",
    ),
    "B60": (" \ufe0fa.txt", "a.txt"),
    "B61": ("\u200d\U0001f4bb.png", "\U0001f4bb.png"),
    "B62": ("a\u180eb.txt", "ab.txt"),
    "B63": ("\u1100\u200b\u1161.txt", "\uac00.txt"),
    "B64": ("e\u200b\u0301.txt", "\u00e9.txt"),
    "B65": ("\u0dd9\u200d\u0dca\u200d.txt", "\u0dda.txt"),
    "B66": ("a.txt\u202e", "a.txt"),
    "B67": (".\u200bhtaccess", "_.htaccess"),
    "B68": ("\u200b.htaccess", "_.htaccess"),
    "B69": ("C\u200bON.txt", "_CON.txt"),
    "B70": ("\u0915\u094d\u200d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    "B71": ("a\ufe0f\ufe0e\ufe0f.txt", "a\ufe0f.txt"),
    "H3": ("cafe\u0301.txt", "caf\u00e9.txt"),
    "H9": ("x" + "\u0300" * 200 + ".txt", "x" + "\u0300" * 8 + ".txt"),
    "H12": ("\u1112\u1161\u11ab\u1100\u1173\u11af.txt", "\ud55c\uae00.txt"),
    "H14": ("\u212b.txt", "\u00c5.txt"),
    "H33": ("\u2126\u212a.txt", "\u03a9K.txt"),
    "H34": ("e" + "\u0301" * 200, "\u00e9" + "\u0301" * 7),
    "H35": ("\u0958.txt", "\u0915\u093c.txt"),
    "H36": ("a\u0301\u0316.txt", "\u00e1\u0316.txt"),
    "H37": ("\u037e.txt", ";.txt"),
    "H38": ("\uf900.txt", "\u8c48.txt"),
    "H39": ("\u0301" * 20 + "a", "\u0301" * 8 + "a"),
    "H40": ("a" + "\u0316\u0301" * 100, "\u00e1" + "\u0316" * 4 + "\u0301" * 3),
    "H42": ("a\u2000b\u2001c.txt", "a\u2002b\u2003c.txt"),
    "H41": ("x" + "\u20dd" * 9, "x" + "\u20dd" * 8),
    "W15": ("a.txt ", "a.txt"),
    "W16": ("a. . .", "a"),
    "W17": ("a.txt.", "a.txt"),
    "W18": ("a.txt:stream", "a.txt_stream"),
    "W19": ("a.txt::$DATA", "a.txt__$DATA"),
    "W20": ("a<b>c|d?e*f", "a_b_c_d_e_f"),
    "W21": ('"a"', "_a_"),
    "W33": (" CON", "_CON"),
    "W34": ("CON.", "_CON"),
    "W35": ("CON .txt", "_CON .txt"),
    "W36": ("CON:", "CON_"),
    "W37": ("\uff23\uff2f\uff2e.txt", "_\uff23\uff2f\uff2e.txt"),
    "W38": ("CON\u2024txt", "_CON\u2024txt"),
    "W39": ("CON" + " " * 300 + "x", "_CON"),
    "W40": ("AUX\u00a0.h", "_AUX\u00a0.h"),
    "D7": ("~", "_~"),
    "D8": ("~user", "_~user"),
    "D9": (".htaccess", "_.htaccess"),
    "D10": (".env", "_.env"),
    "D11": (".bashrc", "_.bashrc"),
    "D12": ("-rf", "_-rf"),
    "D13": ("--help", "_--help"),
    "D14": ("-", "_-"),
    "D15": ("..a", "_..a"),
    "D39": ("...a", "_...a"),
    "D40": (" a", "a"),
    "D41": ("\u00a0a\u3000", "a"),
    "D42": ("  .env  ", "_.env"),
    "D43": ("a...", "a"),
    "D44": ("~$report.docx", "_~$report.docx"),
    "D45": (".git", "_.git"),
    "D46": ("..;", "_..;"),
    "D47": ("-n.txt ", "_-n.txt"),
    "D48": (".a.", "_.a"),
    "D49": ("\u2800a", "a"),
    "S1": ("<img src=x onerror=1>.png", "_img src=x onerror=1_.png"),
    "S2": ('"><svg onload=alert(1)>', "___svg onload=alert(1)_"),
    "S4": ("javascript:alert(1)", "javascript_alert(1)"),
    "S5": ("{{7*7}}", "{{7_7}}"),
    "S7": ("${jndi:ldap}", "${jndi_ldap}"),
    "S8": ('=HYPERLINK("x")', "=HYPERLINK(_x_)"),
    "S19": ("a#b?c", "a#b_c"),
    "S21": ('"onmouseover=alert(1) x="', "_onmouseover=alert(1) x=_"),
    "S22": ("a'b\"c", "a'b_c"),
    "S63": ("*.*", "_._"),
    "S64": ("a > b.txt", "a _ b.txt"),
    "S65": ("<?php system($_GET[0]); ?>.php", "__php system($_GET[0]); __.php"),
    "S66": ("-1+1.csv", "_-1+1.csv"),
    "S67": ('x" OR "1"="1', "x_ OR _1_=_1"),
    "S68": ("a?download=1", "a_download=1"),
    "S69": ("..\u2044..\u2044etc", "_.._.._etc"),
    "L2": ("a" * 256, "a" * 255),
    "L4": ("\u00e9" * 128, "\u00e9" * 127),
    "L6": ("\U0001f600" * 64, "\U0001f600" * 63),
    "L7": ("\u00e9" * 126 + ".pdf", "\u00e9" * 125 + ".pdf"),
    "L25": ("a" * 250 + ".tar.gz", "a" * 250 + ".t" + ".gz"),
    "L26": ("a" * 300 + "." + "b" * 40, "a" * 255),
    "L27": ("a." + "b" * 300, "a." + "b" * 253),
    "L28": ("a" * 300 + "." + "b" * 32, "a" * 222 + "." + "b" * 32),
    "L29": ("a" * 254 + " b", "a" * 254),
    "L30": ("a" * 250 + " " * 50 + ".pdf", "a" * 250 + ".pdf"),
    "L31": ("." * 300 + "a", "_.a"),
    "L32": ("-" + "a" * 254, "_-" + "a" * 253),
    "L33": ("." + "a" * 300, "_." + "a" * 253),
    "L34": ("\U0001f469\u200d\U0001f4bb" * 24, "\U0001f469\u200d\U0001f4bb" * 23),
    "L35": ("a" * 252 + "\u0645\u200c\u0645", "a" * 252 + "\u0645"),
    "L36": ("a" * 3000 + ".txt", "a" * 251 + ".txt"),
    "L37": ("a" * 254 + "\u00e9", "a" * 254),
    "L38": ("<" * 256, "_" * 255),
    "L39": (
        "a" * 230 + "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "a" * 230 + "\U0001f3f4",
    ),
    "L40": ("\u200b" * 300 + "a.txt", "a.txt"),
    "L41": ("con." + "a" * 251, "_con." + "a" * 250),
    "L42": ("a" * 253 + "\U0001f469\u200d\U0001f4bb", "a" * 253),
}

# The first and last of every run of Default_Ignorable_Code_Point, and of what else is not seen.
_INVISIBLE = (
    0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x200B, 0x200C, 0x200D, 0x200E,
    0x200F, 0x2028, 0x2029, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2060, 0x2061, 0x2062, 0x2063,
    0x2064, 0x2065, 0x2066, 0x2067, 0x2068, 0x2069, 0x206A, 0x206F, 0x3164, 0xFEFF, 0xFFA0, 0xFFF0,
    0xFFF8, 0xFFF9, 0xFFFA, 0xFFFB, 0x1BCA0, 0x1BCA3, 0x1D173, 0x1D17A, 0xE0000, 0xE0001, 0xE0020,
    0xE007F, 0xE0080, 0xE00FF, 0xE01F0, 0xE0FFF,
)  # fmt: skip
_BLANK = (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x2800, 0x3000)
_SLASHES = (
    0x1735, 0x2041, 0x2044, 0x2215, 0x2216, 0x2571, 0x2572, 0x27CB, 0x27CD, 0x29F5, 0x29F8, 0x29F9,
    0x31D3, 0x31D4, 0x1D20F, 0x1D23A, 0x1D23B,
)  # fmt: skip
DEVICES = (
    *("CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"),
    *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"),
)
_DEVICE_IDS = {
    "CON": "W1",
    "COM1": "W3",
    "COM\u00b9": "W4",
    "NUL": "W6",
    "PRN": "W9",
    "CONIN$": "W10",
    "CLOCK$": "W12",
    "COM0": "W13",
}


def _families() -> Iterator[NameCase]:
    """Yield what is the same for every member of a class of characters."""
    for code in (*range(0x20), *range(0x7F, 0xA0)):
        yield _refused(f"N-{code:02X}", f"a{chr(code)}b.txt")
        yield _refused(f"N-{code:02X}-percent", f"a{_percent(chr(code))}b.txt")
    for code in (
        *range(0xFDD0, 0xFDF0),
        *(p + n for p in range(0, 0x110000, 0x10000) for n in (0xFFFE, 0xFFFF)),
    ):
        yield _refused(f"N-{code:04X}-nonchar", f"a{chr(code)}b.txt")
    for code in _INVISIBLE:
        yield _mended(f"B-{code:04X}", f"in{chr(code)}v.txt", "inv.txt")
        yield _mended(f"B-{code:04X}-last", f"inv.txt{chr(code)}", "inv.txt")
        yield _refused(f"B-{code:04X}-only", chr(code))
    for code in _BLANK:
        yield _mended(f"D-{code:04X}-ends", f"{chr(code)}a.txt{chr(code)}", "a.txt")
        if code not in {0x2000, 0x2001}:  # NFC makes U+2002 and U+2003 of them
            yield _kept(f"D-{code:04X}-inside", f"a{chr(code)}b.txt")
        yield _refused(f"D-{code:04X}-only", chr(code) * 3)
    for code in _SLASHES:
        yield _mended(f"T-{code:04X}", f"..{chr(code)}x", "_.._x")
    for char in '<>:"|?*':
        yield _mended(f"W-{ord(char):02X}", f"a{char}b.txt", "a_b.txt")


def _devices() -> Iterator[NameCase]:
    for device in DEVICES:
        case = _DEVICE_IDS.get(device, f"W-{device}")
        yield _mended(case, device, f"_{device}")
        yield _mended(f"{case}-lower", device.lower(), f"_{device.lower()}")
        yield _mended(f"{case}-extension", f"{device.title()}.txt", f"_{device.title()}.txt")
        yield _mended(f"{case}-extensions", f"{device}.tar.gz", f"_{device}.tar.gz")
        yield _mended(f"{case}-blank", f"{device} ", f"_{device}")
        yield _mended(f"{case}-blank-extension", f"{device}  .a", f"_{device}  .a")
        yield _kept(f"{case}-longer", f"{device}x.txt")


def _lengths() -> Iterator[NameCase]:
    """Yield the last that fits and the first two that do not, for every width of a character."""
    for char, alone, with_extension in (
        ("a", 255, 251),
        ("\u00e9", 127, 125),
        ("\u540d", 85, 83),
        ("\U0001f600", 63, 62),
    ):
        width = len(char.encode())
        for suffix, most in (("", alone), (".pdf", with_extension)):
            case = f"L-{width}-byte{suffix}"
            yield _kept(f"{case}-less", char * (most - 1) + suffix)
            yield _kept(f"{case}-most", char * most + suffix)
            yield _mended(f"{case}-more", char * (most + 1) + suffix, char * most + suffix)
            yield _mended(f"{case}-much", char * (most + 2) + suffix, char * most + suffix)


def _percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def _refused(case: str, raw: str | bytes) -> NameCase:
    return NameCase(case, raw if isinstance(raw, bytes) else raw.encode(), Outcome.REFUSED, None)


def _kept(case: str, raw: str) -> NameCase:
    return NameCase(case, raw.encode(), Outcome.KEPT, raw)


def _mended(case: str, raw: str, stored: str) -> NameCase:
    return NameCase(case, raw.encode(), Outcome.MENDED, stored)


NAMES: tuple[NameCase, ...] = (
    NameCase("D1", b"", Outcome.EMPTY, None),
    *(_refused(case, raw) for case, raw in _REFUSED.items()),
    *(_kept(case, raw) for case, raw in _KEPT.items()),
    *(_mended(case, raw, stored) for case, (raw, stored) in _MENDED.items()),
    *chain(_families(), _devices(), _lengths()),
)


def _bad_form(case: str, value: bytes) -> DispositionCase:
    return DispositionCase(case, value, Outcome.REFUSED)


def _bad_name(case: str, value: bytes, filename: bytes) -> DispositionCase:
    return DispositionCase(case, value, Outcome.REFUSED, filename)


def _no_file(case: str, value: bytes) -> DispositionCase:
    return DispositionCase(case, value, Outcome.EMPTY, b"")


def _good(case: str, value: bytes, filename: str) -> DispositionCase:
    return DispositionCase(case, value, Outcome.KEPT, filename.encode(), filename)


def _text(case: str, value: bytes) -> DispositionCase:
    return DispositionCase(case, value, Outcome.KEPT)


DISPOSITIONS: tuple[DispositionCase, ...] = (
    _bad_form("X1", b'form-data; name="file"; filename="a.txt"; filename*=UTF-8\'\'b.txt'),
    _bad_form("X2", b"form-data; name=\"file\"; filename*=UTF-8''b.txt"),
    _bad_form("X3", b'form-data; name="file"; filename*0="a"; filename*1=".txt"'),
    _bad_form("X4", b'form-data; name="file"; filename="a"; filename="b"'),
    _bad_form("X5", b'form-data; name="file"; name="other"; filename="a"'),
    _good("X6", b'form-data; name="file"; FILENAME="a.txt"', "a.txt"),
    DispositionCase(
        "X7",
        rb'form-data; name="file"; filename="a\"b;c.txt"',
        Outcome.MENDED,
        b'a"b;c.txt',
        "a_b;c.txt",
    ),
    _bad_name("X8", rb'form-data; name="file"; filename="a\\b.txt"', rb"a\b.txt"),
    _good("X9", b'form-data; name="file"; filename="a%22b.txt"', "a%22b.txt"),
    _good("X10", b'form-data; name="file"; filename=a b.txt', "a b.txt"),
    _bad_form("X11", b'form-data; name="file"; filename=a;b.txt'),
    _no_file("X12", b'form-data; name="file"; filename'),
    _bad_form("X13", b'form-data; name="file"; filename="unterminated'),
    _bad_form("X14", b'form-data; name="file"; filename="a" b.txt'),
    _bad_form("X15", b'form-data; name="file" filename="a.txt"'),
    _bad_form("X16", b'attachment; name="file"; filename="a.txt"'),
    _bad_form("X17", b"form-data; name=file filename=a.txt"),
    _bad_form("X19", b'form-data; name="file"; filename="a\0.txt"'),
    _bad_form("X20", b'form-data; name="file"; filename="a\n.txt"'),
    _bad_form("X21", b'form-data; name="file"; filename="a\r.txt"'),
    _bad_form("X22", b'form-data; name="file";\r\n filename="a.txt"'),
    _no_file("X23", b'form-data; name="file"; filename=""'),
    _no_file("X24", b'form-data; name="file"; filename='),
    _no_file("X25", b'form-data; name="file"; filename= '),
    _good("X26", b'FORM-DATA; NAME="file"; Filename="a.txt"', "a.txt"),
    _good("X27", b'form-data; filename="a.txt"; name="file"', "a.txt"),
    _good("X28", b'form-data;name="file";filename="a.txt"', "a.txt"),
    _good("X29", b'  form-data \t;\tname="file" ; filename="a.txt" \t', "a.txt"),
    _good("X30", b"form-data; name=file; filename=a.txt", "a.txt"),
    _good("X31", b'form-data; name="file"; filename="a.txt";', "a.txt"),
    _good("X32", b'form-data;; name="file"; ; filename="a.txt"', "a.txt"),
    _good("X33", b'form-data; name="file"; filename="a.txt"; size=3; x="y"', "a.txt"),
    _good("X34", 'form-data; name=file; filename="\u540d\u524d.pdf"'.encode(), "\u540d\u524d.pdf"),
    _good(
        "X35",
        "form-data; name=file; filename=r\u00e9sum\u00e9.pdf".encode(),
        "r\u00e9sum\u00e9.pdf",
    ),
    _good("X36", b'form-data; name="file"; filename="a;b,c=d.txt"', "a;b,c=d.txt"),
    _good("X37", b'form-data; name="file"; filename=a=b.txt', "a=b.txt"),
    _good("X38", b'form-data; name="file"; filename="; name=x"', "; name=x"),
    _good("X39", b"form-data; name=\"file\"; filename='a.txt'", "'a.txt'"),
    _text("X40", b'form-data; name="file"'),
    _text("X41", b"form-data; name=file"),
    _text("X42", b'form-data; name="file"; xfilename="a.txt"'),
    _bad_form("X43", b"form-data"),
    _bad_form("X44", b""),
    _bad_form("X45", b"form-data;"),
    _bad_form("X46", b'form-data; filename="a.txt"'),
    _bad_form("X47", b'form-data; name=""; filename="a.txt"'),
    _bad_form("X48", b'form-data; name; filename="a.txt"'),
    _bad_form("X49", b'form-data; name="a b"; filename="a.txt"'),
    _bad_form("X50", b'form-data; name="files[]"; filename="a.txt"'),
    _bad_form("X51", b'form-data; name="%b"; filename="a.txt"' % (b"n" * 65)),
    _bad_form("X52", 'form-data; name="\u00e9"; filename=a.txt'.encode()),
    _bad_form("X53", b'form-data; name = "file"; filename="a.txt"'),
    _bad_form("X54", b'form-data; name="file"; filename ="a.txt"'),
    _bad_form("X55", b'form-data; name="file"; filename= "a.txt"'),
    _bad_form("X56", b'form-data; name="file"; filename=a"b.txt'),
    _bad_form("X57", b'form-data; name="file"; filename="a.txt"b"'),
    _bad_form("X58", b'form-data; name="file"; filename="a.txt""'),
    _bad_form("X59", b'form-data name="file"; filename="a.txt"'),
    _bad_form("X60", b'form-data, name="file"; filename="a.txt"'),
    _bad_form("X61", b'form-data; name="file", form-data; name="other"'),
    _bad_form("X62", b'form-datax; name="file"'),
    _bad_form("X63", b'inline; name="file"; filename="a.txt"'),
    _bad_form("X64", b'file; name="file"; filename="a.txt"'),
    _bad_form("X65", b'"form-data"; name="file"; filename="a.txt"'),
    _bad_form("X66", b'form-data; name="file"; "filename"="a.txt"'),
    _bad_form("X67", b'form-data; name="file"; =a.txt'),
    _bad_form("X68", b'form-data; name="file"; filename x.txt'),
    _bad_form("X69", b'form-data; name="file"; filename; filename="a.txt"'),
    _bad_form("X70", b'form-data; name="file"; filename="a.txt\\"'),
    _bad_form("X71", b'form-data; name="file"; FileName="a"; fileName="b"'),
    _bad_form("X72", b"form-data; name=file; name*=utf-8''other"),
    _bad_form("X73", b'form-data; name="file"; filename*; x=y'),
    _bad_form("X74", b'form-data; name="file"; filenamex'),
    _bad_form("X75", b'form-data; name="file\0"; filename="a.txt"'),
    _bad_form("X76", b'form-data\x0b; name="file"'),
    _bad_name(
        "X77", rb'form-data; name="file"; filename="C:\fakepath\a.txt"', rb"C:\fakepath\a.txt"
    ),
    _bad_name("X78", rb'form-data; name="file"; filename="\\srv\s\f"', rb"\srv\s\f"),
    _bad_name("X79", rb'form-data; name="file"; filename=C:\a.txt', rb"C:\a.txt"),
    _bad_name("X80", b'form-data; name="file"; filename="../a"', b"../a"),
    _bad_name("X81", b'form-data; name="file"; filename="caf\xe9.txt"', b"caf\xe9.txt"),
    _bad_name("X82", b'form-data; name="file"; filename="a%0D%0Ab"', b"a%0D%0Ab"),
    _bad_name("X83", b'form-data; name="file"; filename="a\x1b[0m"', b"a\x1b[0m"),
    _bad_name("X84", b'form-data; name="file"; filename="a\tb"', b"a\tb"),
    _bad_name("X85", b'form-data; name="file"; filename="   "', b"   "),
)

# Whole heads of parts, without the empty line behind: each is refused before its name is read.
BAD_PART_HEADS: dict[str, bytes] = {
    "X18": (
        b'Content-Disposition: form-data; name="file"; filename="a"\r\n'
        b'Content-Disposition: form-data; name="file"; filename="b"\r\n'
    ),
    "X86": b"Content-Type: text/plain\r\n",
    "X87": b"Content-Disposition:\r\n",
    "X88": b'Content-Disposition : form-data; name="file"; filename="a"\r\n',
    "X89": b'Content-Disposition: form-data;\r\n name="file"; filename="a"\r\n',
    "X90": b'Content-Disposition: form-data; name="file"; filename="a\nb"\r\n',
    "X91": b'Content-Disposition: form-data; name="file"; filename="a\0b"\r\n',
}
