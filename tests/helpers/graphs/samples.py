"""The networks whose graphs record.py records, and tests recognize."""

from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact

SPECS = {
    "RRDBNet": RRDBNet(scale=2, num_feat=4, num_block=1, num_grow_ch=2),
    "SRVGGNetCompact": SRVGGNetCompact(num_feat=4, num_conv=12, upscale=4),
    "smallest": SRVGGNetCompact(num_feat=3, num_conv=0, upscale=1),
    "RDN": RDN(C=1, D=2, G=2, G0=4, x=2),
    "RRDN": RRDN(C=1, D=2, G=2, G0=4, T=2, x=2),
}
VERSIONS = ["2.6.2", "3.3.1"]
