from twisted.application.service import ServiceMaker

ocsgw = ServiceMaker(
    "ocsgw",
    "ocsgw.tap",
    "Outbound Contact Server with its HTTP Proxy",
    "ocsgw",
)
