"""The examples of the classic interface: requests as clients send them and the answers they expect.

Line ends stand for CRLF; a body is what follows the empty line, without a line break at its end.
"""

EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "E1": [
        (
            """\
POST /lists/CL_Test?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 26

{"GSW_PHONE":"6505550100"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 338
Cache-Control: no-store

{"GSW_USER_EVENT":"AddRecordAcknowledge","GSW_APPLICATION_ID":134,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_PHONE":"6505550100","GSW_PHONE_TYPE":0,"GSW_RECORD_TYPE":2,"GSW_RECORD_STATUS":1,"GSW_CALL_RESULT":28,"GSW_ATTEMPTS":0,"GSW_FROM":0,"GSW_UNTIL":86399,"GSW_TZ_NAME":"GMT","GSW_CHAIN_ID":1001,"GSW_CHAIN_N":0}
""",
        ),
    ],
    "E2": [
        (
            """\
POST /lists/CL_CALLBACK?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Accept: text/plain
Content-Type: text/plain
Content-Length: 340

{
  "GSW_AGENT_ID" : "agent1",
  "GSW_CAMPAIGN_NAME" : "Campaign1",
  "GSW_PHONE" : "0400000000",
  "GSW_PHONE_TYPE" : "2",
  "GSW_TZ_NAME" : "GMT",
  "GSW_RECORD_TYPE" : "6",
  "GSW_DATE_TIME" : "03/21/2026 14:30",
  "STATE" : "NSW",
  "CONTACT_LAST_NAME" : "Doe",
  "CONTACT_FST_NAME" : null,
  "client-id" : "1-ABC",
  "VAR_005" : null
}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 434
Cache-Control: no-store

{"GSW_USER_EVENT":"AddRecordAcknowledge","GSW_APPLICATION_ID":134,"GSW_CALLING_LIST":"CL_CALLBACK","GSW_CAMPAIGN_NAME":"Campaign1","GSW_PHONE":"0400000000","GSW_PHONE_TYPE":2,"GSW_RECORD_TYPE":6,"GSW_RECORD_STATUS":1,"GSW_CALL_RESULT":28,"GSW_ATTEMPTS":0,"GSW_FROM":0,"GSW_UNTIL":86399,"GSW_TZ_NAME":"GMT","GSW_DATE_TIME":"03/21/2026 14:30","GSW_CHAIN_ID":1,"GSW_CHAIN_N":0,"STATE":"NSW","CONTACT_LAST_NAME":"Doe","client-id":"1-ABC"}
""",
        ),
    ],
    "E3": [
        (
            """\
POST /lists/Liste%20%C3%A9t%C3%A9?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json; charset=utf-8
Content-Length: 76

{"GSW_PHONE":"+33647000000","GSW_CAMPAIGN_NAME":"Campagne","nom":"Hélène"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 357
Cache-Control: no-store

{"GSW_USER_EVENT":"AddRecordAcknowledge","GSW_APPLICATION_ID":134,"GSW_CALLING_LIST":"Liste été","GSW_CAMPAIGN_NAME":"Campagne","GSW_PHONE":"+33647000000","GSW_PHONE_TYPE":0,"GSW_RECORD_TYPE":2,"GSW_RECORD_STATUS":1,"GSW_CALL_RESULT":28,"GSW_ATTEMPTS":0,"GSW_FROM":0,"GSW_UNTIL":86399,"GSW_TZ_NAME":"GMT","GSW_CHAIN_ID":1,"GSW_CHAIN_N":0,"nom":"Hélène"}
""",
        ),
    ],
    "E4": [
        (
            """\
POST /lists/CL_Test?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 120

{"GSW_PHONE":"6505550101","GSW_PHONE_TYPE":4,"GSW_CHAIN_ID":1001,"GSW_FROM":32400,"GSW_UNTIL":64800,"GSW_TZ_NAME":"PST"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 342
Cache-Control: no-store

{"GSW_USER_EVENT":"AddRecordAcknowledge","GSW_APPLICATION_ID":134,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_PHONE":"6505550101","GSW_PHONE_TYPE":4,"GSW_RECORD_TYPE":2,"GSW_RECORD_STATUS":1,"GSW_CALL_RESULT":28,"GSW_ATTEMPTS":0,"GSW_FROM":32400,"GSW_UNTIL":64800,"GSW_TZ_NAME":"PST","GSW_CHAIN_ID":1001,"GSW_CHAIN_N":1}
""",
        ),
    ],
    "E5": [
        (
            """\
POST /lists/CL_Test?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Accept: text/plain
Content-Type: text/plain
Content-Length: 33

{"GSW_CAMPAIGN_NAME":"Campaign1"}
""",
            """\
HTTP/1.1 400 Bad Request
Content-Type: text/html; charset=utf-8
Content-Length: 96
Cache-Control: no-store

<html><head><title>400 Bad Request</title></head><body>Missing attribute GSW_PHONE</body></html>
""",
        ),
    ],
    "E6": [
        (
            """\
POST /lists/CL_Test?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Accept: application/json
Content-Type: application/json
Content-Length: 33

{"GSW_CAMPAIGN_NAME":"Campaign1"}
""",
            """\
HTTP/1.1 400 Bad Request
Content-Type: application/json; charset=utf-8
Content-Length: 68
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Missing attribute GSW_PHONE"}
""",
        ),
    ],
    "E7": [
        (
            """\
POST /lists/Nowhere?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 26

{"GSW_PHONE":"6505550100"}
""",
            """\
HTTP/1.1 404 Not Found
Content-Type: application/json; charset=utf-8
Content-Length: 63
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Calling list not found"}
""",
        ),
    ],
    "E8": [
        (
            """\
POST /records/15?req=RecordProcessed HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 18

GSW_CALL_RESULT=33
""",
            """\
HTTP/1.1 400 Bad Request
Content-Type: application/json; charset=utf-8
Content-Length: 76
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Invalid JSON","GSW_RECORD_HANDLE":15}
""",
        ),
    ],
    "E9": [
        (
            """\
POST /records/15?req=RecordProcessed HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 79

{"GSW_CALL_RESULT":33,"GSW_CAMPAIGN_NAME":"Campaign1","GSW_APPLICATION_ID":134}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 176
Cache-Control: no-store

{"GSW_USER_EVENT":"RecordProcessedAcknowledge","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":15,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":1001}
""",
        ),
    ],
    "E10": [
        (
            """\
POST /records/15?req=RecordProcessed HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 2

{}
""",
            """\
HTTP/1.1 404 Not Found
Content-Type: application/json; charset=utf-8
Content-Length: 85
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Invalid record handle","GSW_RECORD_HANDLE":15}
""",
        ),
    ],
    "E11": [
        (
            """\
POST /records/16?req=UpdateCallCompletionStats HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 50

{"GSW_CALL_RESULT":9,"Disposition":"left message"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 251
Cache-Control: no-store

{"GSW_USER_EVENT":"UpdateCallCompletionStatsAcknowledge","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":16,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":1002,"GSW_PHONE":"6505550102","GSW_CALL_RESULT":9,"GSW_RECORD_TYPE":2}
""",
        ),
    ],
    "E12": [
        (
            """\
POST /records/16?req=RecordReschedule HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 90

{"GSW_CALLBACK_TYPE":"Campaign","GSW_DATE_TIME":"12/24/2026 09:05","Remarks":"call again"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 308
Cache-Control: no-store

{"GSW_USER_EVENT":"RecordRescheduleAcknowledge","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":16,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":1002,"GSW_CALLBACK_TYPE":"Campaign","GSW_DATE_TIME":"12/24/2026 09:05","GSW_TZ_NAME":"GMT","GSW_PHONE":"6505550102","GSW_RECORD_TYPE":6}
""",
        ),
    ],
    "E13": [
        (
            """\
POST /records/16?req=RecordReschedule HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 67

{"GSW_CALLBACK_TYPE":"Personal","GSW_DATE_TIME":"2026-12-24T09:05"}
""",
            """\
HTTP/1.1 400 Bad Request
Content-Type: application/json; charset=utf-8
Content-Length: 84
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Invalid date or time","GSW_RECORD_HANDLE":16}
""",
        ),
    ],
    "E14": [
        (
            """\
POST /records/9?req=ScheduledRecordReschedule HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 65

{"GSW_CALLBACK_TYPE":"Personal","GSW_DATE_TIME":"6/9/2026 23:25"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 315
Cache-Control: no-store

{"GSW_USER_EVENT":"ScheduledRecordRescheduleAcknowledge","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":9,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":990,"GSW_CALLBACK_TYPE":"Personal","GSW_DATE_TIME":"06/09/2026 23:25","GSW_TZ_NAME":"GMT","GSW_PHONE":"6505550109","GSW_RECORD_TYPE":5}
""",
        ),
    ],
    "E15": [
        (
            """\
POST /records/17?req=RecordReject HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 173
Cache-Control: no-store

{"GSW_USER_EVENT":"RecordRejectAcknowledge","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":17,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":1003}
""",
        ),
    ],
    "E16": [
        (
            """\
POST /records/18?req=RequestRecordCancel HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 51

{"GSW_CHAIN_ATTR":"AllChain","GSW_REFERENCE_ID":77}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 245
Cache-Control: no-store

{"GSW_USER_EVENT":"RecordCancelAcknowledge","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":18,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":1004,"GSW_CHAIN_ATTR":"AllChain","GSW_RECORDS_COUNT":2,"GSW_REFERENCE_ID":77}
""",
        ),
    ],
    "E17": [
        (
            """\
POST /phones/+16505550100?req=RecordCancel HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 148
Cache-Control: no-store

{"GSW_USER_EVENT":"RecordCancelAcknowledge","GSW_APPLICATION_ID":134,"GSW_PHONE":"+16505550100","GSW_CHAIN_ATTR":"RecordOnly","GSW_RECORDS_COUNT":0}
""",
        ),
    ],
    "E18": [
        (
            """\
POST /customer_ids/C-4711?req=RequestRecordCancel HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 31

{"GSW_CHAIN_ATTR":"RecordOnly"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 148
Cache-Control: no-store

{"GSW_USER_EVENT":"RecordCancelAcknowledge","GSW_APPLICATION_ID":134,"GSW_CUSTOMER_ID":"C-4711","GSW_CHAIN_ATTR":"RecordOnly","GSW_RECORDS_COUNT":1}
""",
        ),
    ],
    "E19": [
        (
            """\
POST /records/13?req=DoNotCall HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 48

{"GSW_PHONE":"3001","GSW_CHAIN_ATTR":"AllChain"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 216
Cache-Control: no-store

{"GSW_USER_EVENT":"DoNotCallAcknowledge","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":13,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":998,"GSW_PHONE":"3001","GSW_CHAIN_ATTR":"AllChain"}
""",
        ),
    ],
    "E20": [
        (
            """\
POST /phones/3002?req=DoNotCall HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 137
Cache-Control: no-store

{"GSW_USER_EVENT":"DoNotCallAcknowledge","GSW_APPLICATION_ID":134,"GSW_PHONE":"3002","GSW_CHAIN_ATTR":"RecordOnly","GSW_RECORDS_COUNT":0}
""",
        ),
    ],
    "E21": [
        (
            """\
POST /phones/jane%40example.org?req=DoNotCall HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 149
Cache-Control: no-store

{"GSW_USER_EVENT":"DoNotCallAcknowledge","GSW_APPLICATION_ID":134,"GSW_PHONE":"jane@example.org","GSW_CHAIN_ATTR":"RecordOnly","GSW_RECORDS_COUNT":0}
""",
        ),
    ],
    "E22": [
        (
            """\
POST /campaigngroups/102?req=PreviewRecordRequest HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 58

{"GSW_CAMPAIGN_NAME":"Campaign1","GSW_APPLICATION_ID":134}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 660
Cache-Control: no-store

{"GSW_USER_EVENT":"PreviewRecord","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":19,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":1004,"GSW_RECORD_URI":"http://ocs.example:8080/records/19","GSW_CAMPAIGN_GROUP_NAME":"Campaign1@Group1","GSW_CAMPAIGN_GROUP_DBID":102,"GSW_CAMPAIGN_MODE":"Preview","GSW_CALLING_LIST_DBID":201,"GSW_CHAIN_N":0,"GSW_PHONE":"+33647000","GSW_PHONE_TYPE":1,"GSW_RECORD_TYPE":2,"GSW_CALL_RESULT":28,"GSW_ATTEMPTS":0,"GSW_FROM":0,"GSW_UNTIL":86399,"GSW_TZ_NAME":"GMT","GSW_TZ_OFFSET":0,"GSW_CUSTOMER_ID":"C-19","GSW_CALL_ATTEMPT_GUID":"01VQ3K8N4H8A7B2D5E6F9G0H1J2K3L4M","CustomerID":"C-19","Segment":"Private"}
""",
        ),
    ],
    "E23": [
        (
            """\
POST /campaigngroups/102?req=PreviewRecordRequest HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 171
Cache-Control: no-store

{"GSW_USER_EVENT":"PreviewRecordEmpty","GSW_APPLICATION_ID":134,"GSW_CAMPAIGN_NAME":"Campaign1","GSW_CAMPAIGN_GROUP_NAME":"Campaign1@Group1","GSW_CAMPAIGN_GROUP_DBID":102}
""",
        ),
    ],
    "E24": [
        (
            """\
POST /records/7?req=ChainedRecordRequest HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 673
Cache-Control: no-store

{"GSW_USER_EVENT":"ChainedRecordsDataEnd","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":7,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":2,"GSW_CHAINED_RECORDS":[{"GSW_USER_EVENT":"ChainedRecord","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":8,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":2,"GSW_RECORD_URI":"http://ocs.example:8080/records/8","GSW_CALLING_LIST_DBID":201,"GSW_CHAIN_N":1,"GSW_PHONE":"12346","GSW_PHONE_TYPE":4,"GSW_RECORD_TYPE":2,"GSW_CALL_RESULT":28,"GSW_ATTEMPTS":0,"GSW_FROM":0,"GSW_UNTIL":86399,"GSW_TZ_NAME":"GMT","GSW_TZ_OFFSET":0,"GSW_CALL_ATTEMPT_GUID":"01VQ3K8N4H8A7B2D5E6F9G0H1J2K3L4P"}]}
""",
        ),
    ],
    "E25": [
        (
            """\
GET /records/15?req=RecordProcessed HTTP/1.1
Host: ocs.example:8080
""",
            """\
HTTP/1.1 405 Method Not Allowed
Content-Type: application/json; charset=utf-8
Content-Length: 82
Cache-Control: no-store
Allow: POST

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Method not allowed","GSW_RECORD_HANDLE":15}
""",
        ),
    ],
    "E26": [
        (
            """\
POST /records/15?req=RecordProceed HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 400 Bad Request
Content-Type: application/json; charset=utf-8
Content-Length: 283
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Unknown request RecordProceed","GSW_RECORD_HANDLE":15,"GSW_ALLOWED_REQUESTS":["RecordProcessed","UpdateCallCompletionStats","RecordReschedule","ScheduledRecordReschedule","RecordReject","RequestRecordCancel","DoNotCall","ChainedRecordRequest"]}
""",
        ),
    ],
    "E27": [
        (
            """\
POST /phones/3001?req=RecordProcessed HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 400 Bad Request
Content-Type: application/json; charset=utf-8
Content-Length: 160
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Request RecordProcessed is not supported for resource phones","GSW_ALLOWED_REQUESTS":["RequestRecordCancel","DoNotCall"]}
""",
        ),
        (
            """\
POST /records/15 HTTP/1.1
Host: ocs.example:8080
Content-Length: 0
""",
            """\
HTTP/1.1 400 Bad Request
Content-Type: application/json; charset=utf-8
Content-Length: 275
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Missing parameter req","GSW_RECORD_HANDLE":15,"GSW_ALLOWED_REQUESTS":["RecordProcessed","UpdateCallCompletionStats","RecordReschedule","ScheduledRecordReschedule","RecordReject","RequestRecordCancel","DoNotCall","ChainedRecordRequest"]}
""",
        ),
    ],
    "E28": [
        (
            """\
POST /lists/CL_Test?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 26

{"GSW_PHONE":"6505550100"}
""",
            """\
HTTP/1.1 503 Service Unavailable
Content-Type: application/json; charset=utf-8
Content-Length: 81
Cache-Control: no-store
Retry-After: 1

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Outbound Contact Server is not available"}
""",
        ),
    ],
    "E33": [
        (
            """\
POST /records/21?req=RecordProcessed HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 64

{"GSW_CALL_RESULT":"Busy","GSW_TREATMENT":"RecordTreatCampaign"}
""",
            """\
HTTP/1.1 200 OK
Content-Type: application/json; charset=utf-8
Content-Length: 176
Cache-Control: no-store

{"GSW_USER_EVENT":"RecordProcessedAcknowledge","GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":21,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CHAIN_ID":1006}
""",
        ),
    ],
    "E34": [
        (
            """\
POST /lists/CL_Test?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 43

{"GSW_PHONE":"6505550107","GSW_CHAIN_ID":0}
""",
            """\
HTTP/1.1 400 Bad Request
Content-Type: application/json; charset=utf-8
Content-Length: 80
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Invalid value of attribute GSW_CHAIN_ID"}
""",
        ),
        (
            """\
POST /lists/CL_Test?req=AddRecord HTTP/1.1
Host: ocs.example:8080
Content-Type: application/json
Content-Length: 52

{"GSW_PHONE":"6505550107","GSW_CHAIN_ID":2147483647}
""",
            """\
HTTP/1.1 404 Not Found
Content-Type: application/json; charset=utf-8
Content-Length: 56
Cache-Control: no-store

{"GSW_USER_EVENT":"Error","GSW_ERROR":"Chain not found"}
""",
        ),
    ],
}
