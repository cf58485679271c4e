integration-cardfile-address = Address
integration-cardfile-address-help = The file's own address, as the browser shows it: https://cards.example
integration-cardfile-token = Token
integration-cardfile-token-help = In the file: Settings → Telephony → Show the token. Here only its last characters are seen.
integration-cardfile-unknown = Calls with unknown numbers
integration-cardfile-unknown-help = Never for the enterprise's own numbers.
integration-cardfile-unknown-contact = Put the number into the file
integration-cardfile-unknown-nothing = Do nothing
