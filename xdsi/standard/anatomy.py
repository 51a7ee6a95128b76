"""Anatomic regions: the short list for searching, and what Body Part Examined stands for.

Each body part has its code (CID 4, CID 4031) for a series and belongs to regions of the short
list, which describe a study.
Source: DICOM PS3.16 annex L, CID 4, 4031, 244; IHE RAD MADO (mado.md section 5), value set
1.3.6.1.4.1.19376.1.1.86.1.
"""

from types import MappingProxyType

from xdsi.standard.mado import Concept

SCHEME = "SCT"

# Region of the short list by its own Body Part Examined term.
REGIONS = MappingProxyType(
    {
        term: Concept(code, SCHEME, meaning)
        for term, code, meaning in (
            ("LOWERTRUNK", "63337009", "Lower trunk"),
            ("WHOLEBODY", "38266002", "Entire body"),
            ("UPPERLIMB", "53120007", "Upper limb"),
            ("LOWERLIMB", "61685007", "Lower limb"),
            ("UPPERTRUNK", "67734004", "Upper trunk"),
            ("HEADNECK", "774007", "Head and neck"),
            ("CARDIOVASCSYS", "113257007", "Cardiovascular system"),
            ("HEART", "80891009", "Heart"),
            ("BREAST", "76752008", "Breast"),
            ("SPINE", "1141981001", "Vertebral column"),
        )
    }
)

# Regions -> body parts that lie in them: term, code, meaning.
_PARTS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "HEADNECK": (
        ("BRAIN", "12738006", "Brain"),
        ("EAR", "117590005", "Ear"),
        ("EYE", "81745001", "Eye"),
        ("FACE", "89545001", "Face"),
        ("HEAD", "69536005", "Head"),
        ("IAC", "361078006", "Internal Auditory Canal"),
        ("JAW", "661005", "Jaw region"),
        ("LARYNX", "4596009", "Larynx"),
        ("MANDIBLE", "91609006", "Mandible"),
        ("MAXILLA", "70925003", "Maxilla"),
        ("MOUTH", "123851003", "Mouth"),
        ("NECK", "45048000", "Neck"),
        ("NOSE", "45206002", "Nose"),
        ("ORBIT", "363654007", "Orbital structure"),
        ("PAROTID", "45289007", "Parotid gland"),
        ("PHARYNX", "54066008", "Pharynx"),
        ("SELLA", "42575006", "Sella turcica"),
        ("SINUS", "2095001", "Paranasal sinus"),
        ("SKULL", "89546000", "Skull"),
        ("THYROID", "69748006", "Thyroid"),
        ("TMJ", "53620006", "Temporomandibular joint"),
        ("ZYGOMA", "13881006", "Zygoma"),
    ),
    "UPPERTRUNK": (
        ("BRONCHUS", "955009", "Bronchus"),
        ("CHEST", "816094009", "Chest"),
        ("CLAVICLE", "51299004", "Clavicle"),
        ("ESOPHAGUS", "32849002", "Esophagus"),
        ("LUNG", "39607008", "Lung"),
        ("MEDIASTINUM", "72410000", "Mediastinum"),
        ("RIB", "113197003", "Rib"),
        ("SCJOINT", "7844006", "Sternoclavicular joint"),
        ("STERNUM", "56873002", "Sternum"),
        ("TRACHEA", "44567001", "Trachea"),
    ),
    "LOWERTRUNK": (
        ("ABDOMEN", "818981001", "Abdomen"),
        ("ABDOMENPELVIS", "818982008", "Abdomen and Pelvis"),
        ("ANUS", "53505006", "Anus"),
        ("BILEDUCT", "28273000", "Bile duct"),
        ("BILIARYTRACT", "34707002", "Biliary tract"),
        ("BLADDER", "89837001", "Bladder"),
        ("COLON", "71854001", "Colon"),
        ("DUODENUM", "38848004", "Duodenum"),
        ("GALLBLADDER", "28231008", "Gallbladder"),
        ("ILEUM", "34516001", "Ileum"),
        ("ILIUM", "22356005", "Ilium"),
        ("JEJUNUM", "21306003", "Jejunum"),
        ("KIDNEY", "64033007", "Kidney"),
        ("LARGEINTESTINE", "14742008", "Large intestine"),
        ("LIVER", "10200004", "Liver"),
        ("OVARY", "15497006", "Ovary"),
        ("PANCREAS", "15776009", "Pancreas"),
        ("PELVIS", "816092008", "Pelvis"),
        ("PROSTATE", "41216001", "Prostate"),
        ("RECTUM", "34402009", "Rectum"),
        ("SIJOINT", "39723000", "Sacroiliac joint"),
        ("SMALLINTESTINE", "30315005", "Small intestine"),
        ("SPLEEN", "78961009", "Spleen"),
        ("STOMACH", "69695003", "Stomach"),
        ("URETER", "87953007", "Ureter"),
        ("URETHRA", "13648007", "Urethra"),
        ("UTERUS", "35039007", "Uterus"),
    ),
    "UPPERTRUNK LOWERTRUNK": (
        ("CHESTABDOMEN", "416550000", "Chest and Abdomen"),
        ("CHESTABDPELVIS", "416775004", "Chest, Abdomen and Pelvis"),
    ),
    "HEADNECK UPPERTRUNK": (("NECKCHEST", "417437006", "Neck and Chest"),),
    "HEADNECK UPPERTRUNK LOWERTRUNK": (
        ("NECKCHESTABDOMEN", "416152001", "Neck, Chest and Abdomen"),
        ("NECKCHESTABDPELV", "416319003", "Neck, Chest, Abdomen and Pelvis"),
    ),
    "UPPERLIMB": (
        ("ACJOINT", "85856004", "Acromioclavicular joint"),
        ("ARM", "40983000", "Upper arm"),
        ("ELBOW", "16953009", "Elbow joint"),
        ("FINGER", "7569003", "Finger"),
        ("FOREARM", "14975008", "Forearm"),
        ("HAND", "85562004", "Hand"),
        ("HUMERUS", "85050009", "Humerus"),
        ("SCAPULA", "79601000", "Scapula"),
        ("SHOULDER", "16982005", "Shoulder"),
        ("THUMB", "76505004", "Thumb"),
        ("WRIST", "74670003", "Wrist joint"),
    ),
    "LOWERLIMB": (
        ("ANKLE", "70258002", "Ankle joint"),
        ("CALCANEUS", "80144004", "Calcaneus"),
        ("FEMUR", "71341001", "Femur"),
        ("FIBULA", "87342007", "Fibula"),
        ("FOOT", "56459004", "Foot"),
        ("HIP", "29836001", "Hip"),
        ("KNEE", "72696002", "Knee"),
        ("LEG", "30021000", "Lower leg"),
        ("PATELLA", "64234005", "Patella"),
        ("THIGH", "68367000", "Thigh"),
        ("TOE", "29707007", "Toe"),
    ),
    "SPINE": (
        ("COCCYX", "64688005", "Coccyx"),
        ("CSPINE", "122494005", "Cervical spine"),
        ("CTSPINE", "1217257000", "Cervico-thoracic spine"),
        ("LSPINE", "122496007", "Lumbar spine"),
        ("LSSPINE", "1217253001", "Lumbo-sacral spine"),
        ("SSPINE", "54735007", "Sacrum"),
        ("TLSPINE", "1217256009", "Thoraco-lumbar spine"),
        ("TSPINE", "122495006", "Thoracic spine"),
    ),
    "HEART": (("CORONARYARTERY", "41801008", "Coronary artery"),),
    "CARDIOVASCSYS": (
        ("AORTA", "15825003", "Aorta"),
        ("CAROTID", "69105007", "Carotid Artery"),
    ),
}

# Body Part Examined -> what it is, and the regions of the short list it lies in.
BODY_PARTS = MappingProxyType(
    {
        term: (Concept(code, SCHEME, meaning), tuple(REGIONS[each] for each in regions.split()))
        for regions, parts in _PARTS.items()
        for term, code, meaning in parts
    }
    | {term: (region, (region,)) for term, region in REGIONS.items()}
)
# The same by code, for images that carry an Anatomic Region instead.
_REGIONS_OF_CODE = MappingProxyType(
    {code.value: of for code, of in BODY_PARTS.values()}
    # codes of earlier editions: spine, chest, pelvis, abdomen
    | {"421060004": (REGIONS["SPINE"],), "51185008": (REGIONS["UPPERTRUNK"],)}
    | dict.fromkeys(("12921003", "113345001"), (REGIONS["LOWERTRUNK"],))
)

# Laterality (0020,0060), Image Laterality (0020,0062) -> CID 244.
LATERALITIES = MappingProxyType(
    {
        "R": Concept("24028007", SCHEME, "Right"),
        "L": Concept("7771000", SCHEME, "Left"),
        "B": Concept("51440002", SCHEME, "Bilateral"),
        "U": Concept("66459002", SCHEME, "Unilateral"),
    }
)


def body_part(term: str) -> Concept | None:
    """The code of a Body Part Examined; blanks, hyphens and case do not count."""
    found = BODY_PARTS.get(_plain(term))
    return found[0] if found else None


def regions_of(code: str) -> tuple[Concept, ...]:
    """The regions of the short list that a coded body part lies in."""
    return _REGIONS_OF_CODE.get(code, ())


def _plain(term: str) -> str:
    return "".join(each for each in term.upper() if each.isalnum())
