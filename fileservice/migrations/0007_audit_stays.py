from django.db import migrations

# Not even by mistake, nor by whoever gets at the connection through a hole elsewhere.
TRIGGERS = {
    "update": "CREATE TRIGGER audit_no_update BEFORE UPDATE ON fileservice_auditentry"
    " BEGIN SELECT RAISE(ABORT, 'what was done is not changed'); END",
    "delete": "CREATE TRIGGER audit_no_delete BEFORE DELETE ON fileservice_auditentry"
    " BEGIN SELECT RAISE(ABORT, 'what was done is not removed'); END",
}


class Migration(migrations.Migration):
    dependencies = [
        ("fileservice", "0006_people_and_shares"),
    ]

    operations = [
        migrations.RunSQL(sql, f"DROP TRIGGER audit_no_{verb}") for verb, sql in TRIGGERS.items()
    ]
