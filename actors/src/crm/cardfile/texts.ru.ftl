integration-cardfile-address = Адрес
integration-cardfile-address-help = Адрес картотеки, как его показывает браузер: https://cards.example
integration-cardfile-token = Токен
integration-cardfile-token-help = В картотеке: Настройки → Телефония → Показать токен. Здесь видны только последние знаки.
integration-cardfile-unknown = Звонки с неизвестных номеров
integration-cardfile-unknown-help = Собственные номера предприятия — никогда.
integration-cardfile-unknown-contact = Добавить номер в картотеку
integration-cardfile-unknown-nothing = Ничего не делать
